"""What a gateway has done, as its rows and its ledger show it."""

import json
from typing import Any

from sqlalchemy import func, select, text

from gateway.journey.deliver import deliver_next
from gateway.referral.identifiers import DeliveryId, ReferralId
from gateway.referral.model import Delivery, Referral
from gateway.store import deliveries, referrals
from gateway.store.tables import metadata
from gateway.store.tables_ledger import ledger_entry
from tests.builders.house import House

WALK = ("referral", "referral_identifier", "decision", "delivery", "person")
"""The tables that an accepted referral writes, besides the ledger."""


def entries(house: House, kind: str | None = None) -> list[dict[str, Any]]:
    """The ledger's entries in order, their references and details among the rest."""
    query = select(ledger_entry.c.body).order_by(ledger_entry.c.log, ledger_entry.c.idx)
    with house.gateway.store.reading(as_one_moment=True) as view:
        bodies = [json.loads(body) for (body,) in view.connection.execute(query)]
    flat = [body | body["refs"] | body["detail"] for body in bodies]
    return [body for body in flat if kind in (None, body["kind"])]


def kinds(house: House) -> list[str]:
    """The kinds of entries, in order, without those that only set the scene."""
    found = [entry["kind"] for entry in entries(house)]
    scene = ("token.", "directory.", "agreement.", "switch.")
    return [kind for kind in found if not kind.startswith(scene)]


def counts(house: House) -> dict[str, int]:
    """How many rows each table of the walk has."""
    with house.gateway.store.reading(as_one_moment=True) as view:
        return {
            name: view.connection.execute(
                select(func.count()).select_from(metadata.tables[name])
            ).scalar_one()
            for name in WALK
        }


def the_referral(house: House) -> Referral:
    """The only referral that there is."""
    with house.gateway.store.reading(as_one_moment=True) as view:
        (only,) = referrals.everyone(view)
    return only


def referral(house: House, referral_id: str) -> Referral:
    with house.gateway.store.reading(as_one_moment=True) as view:
        return referrals.get(view, ReferralId(referral_id))


def the_delivery(house: House) -> Delivery:
    """The only delivery that there is."""
    with house.gateway.store.reading(as_one_moment=True) as view:
        ((only,),) = deliveries.by_referral(view).values()
    return only


def delivery(house: House, delivery_id: str) -> Delivery:
    with house.gateway.store.reading(as_one_moment=True) as view:
        found = deliveries.find(view, DeliveryId(delivery_id))
    assert found is not None
    return found


def sealed_body(house: House, referral_id: str) -> bytes:
    """The bytes as received, opened."""
    with house.gateway.store.reading(as_one_moment=True) as view:
        return referrals.body_of(view, ReferralId(referral_id))


def execute(house: House, statement: str, **values: Any) -> None:
    """Change rows behind the program's back."""
    with house.gateway.store.engine.begin() as connection:
        connection.execute(text(statement), values)


def work(house: House, *, at_most: int = 50) -> int:
    """Deliver until nothing is due; return how often there was something to do."""
    for done in range(at_most):
        if not deliver_next("worker", house.gateway):
            return done
    msg = "the queue does not empty"
    raise AssertionError(msg)


def id_in(location: str) -> str:
    """The referral's id in a Location."""
    return location.split("/ServiceRequest/")[1].split("/", maxsplit=1)[0]


def take_back(house: House, referral_id: str, status: str = "revoked", **headers: str) -> Any:
    """Take a referral back at the REST door, as a system does that has just read it."""
    read = house.get(f"/ServiceRequest/{referral_id}")
    sent = {"If_Match": read.headers["ETag"], **headers}
    return house.put(f"/ServiceRequest/{referral_id}", read.get_json() | {"status": status}, **sent)


def issues(answer: Any) -> list[tuple[str, str | None]]:
    """Each issue of an OperationOutcome: its code, and where it is."""
    body = answer.get_json()
    assert body["resourceType"] == "OperationOutcome"
    return [(i["code"], (i.get("expression") or [None])[0]) for i in body["issue"]]


def nhs_codes(answer: Any) -> set[str]:
    """The codes of an OperationOutcome's details: NHS HTTP error code, and Spine code."""
    return {coding["code"] for i in answer.get_json()["issue"] for coding in i["details"]["coding"]}
