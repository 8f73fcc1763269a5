"""What a test with real processes may ask for."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.installation import Installation, free_port
from tests.processes.receiver import Receiver, running_receiver


@pytest.fixture(scope="session")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A provider's server in a process of its own."""
    with running_receiver(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def installation(database_url: str, tmp_path: Path, receiver: Receiver) -> Iterator[Installation]:
    """A gateway with nothing running yet, on a database of its own, on each engine in turn."""
    built = Installation(
        database_url=database_url, folder=tmp_path, receiver=receiver, port=free_port()
    )
    yield built
    built.end()
