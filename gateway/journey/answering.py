"""What an outcome is about: the one delivery that its provider was brought, and answers.

What enters: who says it, by which door, and the names by which it says what it means. What
leaves: that delivery and its referral, locked. Must never: show that a referral is here that is
another provider's; or take one of several where the names do not agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.errors import (
    Fault,
    InvalidMessageError,
    IssueCode,
    NotFoundError,
)
from gateway.fhir.read_outcome_parts import About, IncomingOutcome
from gateway.ledger.kinds import Door
from gateway.mapping.bars_message import message_id
from gateway.mapping.fhir_rest import DELIVERY_SYSTEM
from gateway.referral.identifiers import (
    OWN_BASE,
    REFERENCE_SYSTEM,
    DeliveryId,
    NhsNumber,
    OdsCode,
)
from gateway.referral.model import Delivery, Referral
from gateway.store import deliveries, persons
from gateway.store.answered import Names, brought_to
from gateway.store.engine import Transaction

_OURS = (f"{OWN_BASE}/Id/hop", DELIVERY_SYSTEM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """How an outcome came: by which door, from whom, and in which bytes.

    `task` is the Task that was written, `known` the version of it that the provider had read.
    `is_strict`: it asked for codes or nothing (`Prefer: handling=strict`).
    """

    door: Door
    provider: OdsCode
    client: str
    body: bytes = field(repr=False)
    body_sha256: str
    task: DeliveryId | None = None
    known: str | None = None
    is_strict: bool = False


def find_answered(
    tx: Transaction, said: IncomingOutcome, arrived: Arrived
) -> tuple[Delivery, Referral]:
    """Find and lock the delivery that an outcome answers, and its referral.

    Raises:
        NotFoundError: this provider was brought nothing by these names.
        InvalidMessageError: they lead to more than one referral, or nothing is named.
    """
    names = _names(said.about, arrived)
    if names == Names():
        raise _refusal(
            IssueCode.REQUIRED,
            "Say which referral this is about: by the Task that you were told of, or by the"
            " reference that came with it.",
        )
    found = brought_to(tx, arrived.provider, names)
    if not found:
        msg = "nothing that was sent to you goes by these names"
        raise NotFoundError(msg)
    if len({each.referral for each in found}) > 1:
        raise _refusal(
            IssueCode.MULTIPLE_MATCHES,
            "The names in this message lead to more than one referral. Send one for each.",
        )
    chosen = next((each for each in found if each.id in names.ids), found[-1])
    delivery, referral = deliveries.hold_still(tx, chosen.id)
    if said.about.response_to not in (None, message_id(referral, delivery)):
        raise _refusal(
            IssueCode.VALUE,
            "MessageHeader.response.identifier is not the Bundle.id of the message that brought"
            " this referral to you. Quote that.",
        )
    return delivery, referral


def is_another_person(tx: Transaction, referral: Referral, number: NhsNumber | None) -> bool:
    """Whether an outcome names another person than its referral."""
    return (
        number is not None
        and persons.find_handle(tx, referral.practice, number) != referral.subject
    )


def _names(about: About, arrived: Arrived) -> Names:
    ours = {each.value for each in about.identifiers if each.system in _OURS}
    quoted = {about.task, arrived.task, *_last_steps(about), *ours}
    return Names(
        ids=frozenset(each.lower() for each in quoted if each),
        references=frozenset(
            each.value for each in about.identifiers if each.system == REFERENCE_SYSTEM
        ),
        correlation_id=about.correlation_id,
    )


def _last_steps(about: About) -> Iterator[str]:
    """Read the ids that references end in; those of others' servers lead nowhere here."""
    for each in about.references:
        yield each.partition("/_history/")[0].rsplit("/", 1)[-1].removeprefix("urn:uuid:")


def _refusal(code: IssueCode, text: str) -> InvalidMessageError:
    return InvalidMessageError(Fault(code=code, diagnostics=text))
