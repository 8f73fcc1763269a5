"""How long an outcome takes on its way back: what it holds, and the whole walk through the door.

The walk is that of a report with a coded finding, of a referral of its own each time: the
provider's PUT until its 202, everything durable; and from there the letter, decided on again,
written and handed to a MESH that costs nothing. SQLite, one thread.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.read_outcome import read_outcome
from gateway.referral.identifiers import OdsCode, ReferralId
from gateway.store import deliveries
from gateway.writeback.content import classify
from tests.builders.embedded import embedded_house
from tests.builders.evidence import id_in, work
from tests.builders.house import House
from tests.builders.messages import PRACTICE, service_request
from tests.builders.returning import CODED, of_employer, report, with_letters

ACCEPTED = 202


def way_back_times(folder: Path, repeats: int = 100) -> Mapping[str, float]:
    """Time each part: milliseconds, the median of so many turns."""
    with tempfile.TemporaryDirectory(dir=folder) as own, embedded_house(Path(own)) as house:
        mesh = with_letters(house)
        tasks = [_brought(house) for _ in range(repeats)]
        told, put, letter = _told(house, tasks[0]), [], []
        for task in tasks:
            tree = _told(house, task)
            etag = house.get(f"/Task/{task}", client="oh-one").headers["ETag"]
            put.append(_spent(lambda t=task, b=tree, e=etag: _put(house, t, b, e)))  # type: ignore[misc]
            letter.append(_spent(lambda: work(house)))
        if len(mesh.sent) != repeats:
            raise ValueError("not every letter left, so the times say nothing")
    body = write_json(told)
    return {
        "reading it": _median(lambda: read_outcome(read_json(body)), repeats),
        "saying what it holds": _median(lambda: classify(told, OdsCode(PRACTICE)), repeats),
        "the provider's PUT, until its 202": _middle(put),
        "the letter, decided, written, handed over": _middle(letter),
    }


def _brought(house: House) -> str:
    """Bring a referral to its provider; return the id of its Task."""
    tree = service_request(extension=of_employer(is_practice=False))
    own = ReferralId(id_in(house.post("/ServiceRequest", tree).headers["Location"]))
    work(house)
    with house.gateway.store.reading() as view:
        (delivery,) = deliveries.of_referral(view, own)
    return delivery.id


def _told(house: House, task: str) -> dict[str, Any]:
    read: dict[str, Any] = house.get(f"/Task/{task}", client="oh-one").get_json()
    return read | report(CODED)


def _put(house: House, task: str, tree: dict[str, Any], etag: str) -> None:
    answer = house.put(f"/Task/{task}", tree, client="oh-one", If_Match=etag)
    if answer.status_code != ACCEPTED:
        raise ValueError(f"answered {answer.status_code}, so the times say nothing")


def _median(part: Callable[[], object], repeats: int) -> float:
    return _middle([_spent(part) for _ in range(repeats)])


def _spent(part: Callable[[], object]) -> float:
    started = time.perf_counter()
    part()
    return (time.perf_counter() - started) * 1000


def _middle(spent: list[float]) -> float:
    return sorted(spent)[len(spent) // 2]
