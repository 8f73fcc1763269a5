"""A time keeps its instant and its microseconds on both databases, or is refused."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from gateway.store.types import Instant

MOMENT = datetime(2026, 11, 22, 10, 0, 0, 123456, tzinfo=timezone(timedelta(hours=1)))
DIALECTS: list[Dialect] = [make() for make in (sqlite.dialect, postgresql.dialect)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_instant_comes_back_in_utc(dialect: Dialect) -> None:
    bound = Instant().process_bind_param(MOMENT, dialect)
    back = Instant().process_result_value(bound, dialect)
    assert back == MOMENT
    assert back is not None
    assert back.tzinfo is UTC


def test_a_time_without_its_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="offset"):
        Instant().process_bind_param(MOMENT.replace(tzinfo=None), DIALECTS[0])


def test_no_time_stays_no_time() -> None:
    assert Instant().process_bind_param(None, DIALECTS[0]) is None
    assert Instant().process_result_value(None, DIALECTS[0]) is None
