"""Events on agreements and switches; a test says what it is about.

signed(1), moved("withdrawn", 2, at=day(3))
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.journey.agreements import AgreementSet, Wish, set_agreement
from gateway.journey.sharing import Word
from gateway.journey.switches import SwitchSet, SwitchWish, set_switch
from gateway.referral.directory import AgreementKind, Switch, SwitchValue, Terms
from gateway.referral.identifiers import AgreementId, OdsCode
from gateway.referral.sharing import AgreementEvent, AgreementMove, Moment, Origin, SwitchEvent
from tests.builders.house import House

FIRST = datetime(2026, 6, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    """Some instants, a day apart; 1 is the first."""
    return FIRST + timedelta(days=number - 1)


def terms(**changed: Any) -> Terms:
    told: dict[str, Any] = {
        "name": "dsa",
        "kind": AgreementKind.DIRECT,
        "purposes": frozenset({"occupational-health"}),
        "dpia_ref": "DPIA-1",
    }
    return Terms(**told | changed)


def moved(move: str, seq: int, *, at: datetime | None = None, **changed: Any) -> AgreementEvent:
    """The event number `seq`: recorded on day `seq`, and in effect then unless `at` says."""
    told: dict[str, Any] = {
        "practice": OdsCode("G99001"), "agreement": AgreementId("dsa"), "seq": seq,
        "counterparty": OdsCode("RX901"), "move": AgreementMove(move), "terms": terms(),
        "effective_at": at or day(seq), "recorded_at": day(seq), "actor": "gp-one",
        "origin": Origin.PRACTICE,
    }  # fmt: skip
    return AgreementEvent(**told | changed)


def switched(
    value: str, seq: int, *, at: datetime | None = None, switch: Switch = Switch.UPDATE_RECORD
) -> SwitchEvent:
    """The setting number `seq`, dated like `moved`."""
    return SwitchEvent(
        practice=OdsCode("G99001"), switch=switch, seq=seq, value=SwitchValue(value),
        effective_at=at or day(seq), recorded_at=day(seq), actor="gp-one", origin=Origin.PRACTICE,
    )  # fmt: skip


def on(number: float) -> Moment:
    return Moment(at=day(number))


SHARING = ["gateway/sharing.r", "gateway/sharing.u"]


def let_share(house: House) -> None:
    """Let every client of a house read and change what its practice shares."""
    house.apply(
        clients=[
            each | {"scopes": [*each["scopes"], *SHARING]} for each in house.directory["clients"]
        ]
    )


def call(
    house: House,
    method: str,
    path: str,
    tree: Any = None,
    *,
    client: str = "gp-one",
    **headers: str,
) -> Any:
    """Call a route under /sharing, with a JSON body where there is one."""
    body = None if tree is None else json.dumps(tree)
    kind = {} if tree is None else {"Content-Type": "application/json"}
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = house.bearer(client) | kind | given
    return house.web.open(f"/sharing{path}", method=method, data=body, headers=sent)


OPERATOR = Word(actor="operator", origin=Origin.OPERATOR)
PRACTICE_ODS, PROVIDER_ODS = OdsCode("G99001"), OdsCode("RX901")


def set_to(house: House, switch: str, value: str, at: datetime | None = None) -> SwitchSet:
    wish = SwitchWish(switch=Switch(switch), value=SwitchValue(value), effective_at=at)
    return set_switch(PRACTICE_ODS, wish, OPERATOR, house.gateway)[0]


def sign(
    house: House, name: str = "dsa-eval", at: datetime | None = None, **changed: Any
) -> AgreementSet:
    """Sign an agreement that serves evaluation and nothing else."""
    confirmed_by = changed.pop("confirmed_by", None)
    counterparty = changed.pop("counterparty", PROVIDER_ODS)
    document = changed.pop("document_sha256", None)
    told: dict[str, Any] = {
        "name": name,
        "kind": AgreementKind.EXCLUSIVE_SECONDARY,
        "purposes": frozenset({"evaluation"}),
    }
    wish = Wish(
        agreement=AgreementId(name), move=AgreementMove.SIGNED, effective_at=at,
        terms=terms(**told | changed), counterparty=counterparty, document_sha256=document,
        confirmed_by=confirmed_by,
    )  # fmt: skip
    return set_agreement(PRACTICE_ODS, wish, OPERATOR, house.gateway)[0]


def move(
    house: House,
    to: str,
    name: str = "dsa-eval",
    at: datetime | None = None,
    confirmed_by: str | None = None,
) -> AgreementSet:
    wish = Wish(
        agreement=AgreementId(name), move=AgreementMove(to), effective_at=at,
        confirmed_by=confirmed_by,
    )  # fmt: skip
    return set_agreement(PRACTICE_ODS, wish, OPERATOR, house.gateway)[0]
