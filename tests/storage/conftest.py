"""One front door for a whole module: what is refused leaves nothing behind, and is cheap."""

from collections.abc import Iterator

import pytest

from tests.builders.embedded import embedded_house
from tests.builders.house import House


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway on SQLite that the tests of one module share."""
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        yield house
