"""What the tests of conformance share."""

from collections.abc import Iterator

import pytest

from tests.builders.embedded import embedded_house
from tests.builders.house import House


@pytest.fixture(scope="module")
def house_of_defects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A gateway on SQLite that the tests of one module share: what they send is refused."""
    with embedded_house(tmp_path_factory.mktemp("defects")) as house:
        yield house
