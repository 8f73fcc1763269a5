"""Shared care: is a request that a practice takes work over a formal one?

What enters: a request, the agreement on record, the practice's word on its capacity, and the day.
What leaves: the facts that rules R27, R27b and G5s read; and, for a request that is not formal, the
reason and the fields of a formal proposal that are still empty, for the provider to fill.

A part that the record does not hold is absent where the record was read whole, and unknown
otherwise; unknown is never taken for there. Must never: let work begin before the agreement does,
or take a practice's old word for its present one.
Source: the sharing rules, section 1, and R27, R27b and G5s of section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

CAPACITY_HOLDS_FOR = timedelta(days=28)
"""How long a practice's word on its capacity counts. A choice of ours: four weeks of a rota."""


class SharedWork(StrEnum):
    """What a provider asks a practice to take over."""

    PRESCRIBE = "prescribe"
    MONITOR = "monitor"
    DO_WORK = "do-work"


class Party(StrEnum):
    """Who has a task under an agreement."""

    PRACTICE = "practice"
    SPECIALIST = "specialist"


class PracticeDecision(StrEnum):
    """What the practice said of an agreement."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCareRequest:
    """What is asked, and from when the practice is to do it. None: it does not say."""

    work: SharedWork
    begins_on: date | None


@dataclass(frozen=True, slots=True)
class Responsibility:
    """Who does what of the work."""

    work: SharedWork
    party: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialistSupport:
    """Whom the practice turns to, and since when, and until when, the specialist is there."""

    contact: str
    confirmed_on: date
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resourcing:
    """Who pays the practice, and for which work."""

    funder: str
    works: frozenset[SharedWork]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedCareAgreement:
    """An agreement as it stands on record. None: that part is not there.

    `was_read_whole`: the record holds nothing else, so that what is not there does not exist.
    """

    was_read_whole: bool
    responsibilities: tuple[Responsibility, ...] | None = None
    support: SpecialistSupport | None = None
    resourcing: Resourcing | None = None
    starts_on: date | None = None
    ends_on: date | None = None
    decision: PracticeDecision | None = None


NO_AGREEMENT = SharedCareAgreement(was_read_whole=True)
"""What stands on record where somebody looked and found none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityWord:
    """What the practice said of its capacity, and when."""

    has_capacity: bool
    said_on: date


def facts_of_shared_care(
    request: SharedCareRequest,
    agreement: SharedCareAgreement | None,
    capacity: CapacityWord | None,
    *,
    today: date,
) -> Mapping[str, object]:
    """Say what the rules about shared care ask; None: unknown.

    Args:
        request: what is asked of the practice.
        agreement: what stands on record; None: nobody could look.
        capacity: the practice's last word; None: it said nothing.
        today: the day on which the rules are asked.
    """
    on_record = agreement or SharedCareAgreement(was_read_whole=False)
    return {
        "action": "accept_shared_care",
        "purpose": "practice-admin",
        "sc_formal": _all_of(
            _is_shared_out(request, on_record),
            _has_begun_first(request, on_record, today),
            _is_accepted(on_record),
        ),
        "sc_resourced": _is_resourced(request, on_record),
        "sc_support": _is_supported(request, on_record, today),
        "sc_capacity": _has_capacity(capacity, today),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalField:
    """A field of a formal proposal: its name, what to write there, and the fact that it serves."""

    name: str
    ask: str
    serves: str


PROPOSAL = tuple(
    ProposalField(name=name, ask=ask, serves=serves)
    for name, ask, serves in (
        ("work", "What the practice is to prescribe, monitor or do.", "sc_formal"),
        ("responsibilities", "For each task, whether practice or specialist does it.", "sc_formal"),
        ("starts-on", "The day from which the agreement counts; no work before it.", "sc_formal"),
        ("ends-on", "The day on which it ends or is reviewed.", "sc_formal"),
        ("decision", "The practice's answer: left empty until it gives one.", "sc_formal"),
        ("funder", "Who pays the practice.", "sc_resourced"),
        ("paid-work", "The work that the payment is for.", "sc_resourced"),
        ("specialist-contact", "Whom the practice turns to, and how.", "sc_support"),
        ("support-confirmed-on", "The day on which the specialist confirmed it.", "sc_support"),
    )
)
"""The template of a formal proposal, which goes back with an informal request."""

_REASONS: Mapping[str, str] = {
    "sc_formal": "No formal agreement on record covers this work from the day on which it begins.",
    "sc_resourced": "Nobody is named who pays the practice for this work.",
    "sc_support": "No specialist has confirmed support for the time of this work.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """What goes back to the provider: each reason, and the fields that a proposal needs."""

    reasons: tuple[str, ...]
    fields: tuple[ProposalField, ...]


def return_to_provider(facts: Mapping[str, object]) -> Returned | None:
    """Write what an informal request is answered; None: nothing is known to be missing.

    What is unknown is for whoever keeps the record to find out, and is not the provider's fault.
    """
    missing = tuple(name for name in _REASONS if facts.get(name) is False)
    if not missing:
        return None
    return Returned(
        reasons=tuple(_REASONS[name] for name in missing),
        fields=tuple(field for field in PROPOSAL if field.serves in missing),
    )


def _is_shared_out(request: SharedCareRequest, agreement: SharedCareAgreement) -> bool | None:
    """Whether it says that the practice does this work, and what the specialist does."""
    if agreement.responsibilities is None:
        return _absent(agreement)
    asked = Responsibility(request.work, Party.PRACTICE)
    parties = {each.party for each in agreement.responsibilities}
    return asked in agreement.responsibilities and Party.SPECIALIST in parties


def _has_begun_first(
    request: SharedCareRequest, agreement: SharedCareAgreement, today: date
) -> bool | None:
    """Whether the agreement counts from before the work begins, and still does."""
    if agreement.starts_on is None:
        return _absent(agreement)
    if agreement.ends_on is not None and today > agreement.ends_on:
        return False
    if request.begins_on is None:
        return None
    is_after_its_end = agreement.ends_on is not None and request.begins_on > agreement.ends_on
    return agreement.starts_on <= request.begins_on and not is_after_its_end


def _is_accepted(agreement: SharedCareAgreement) -> bool | None:
    if agreement.decision is None:
        return _absent(agreement)
    return agreement.decision is PracticeDecision.ACCEPTED


def _is_resourced(request: SharedCareRequest, agreement: SharedCareAgreement) -> bool | None:
    if agreement.resourcing is None:
        return _absent(agreement)
    return bool(agreement.resourcing.funder.strip()) and request.work in agreement.resourcing.works


def _is_supported(
    request: SharedCareRequest, agreement: SharedCareAgreement, today: date
) -> bool | None:
    """Whether a specialist is named, has confirmed, and is there today and when work begins."""
    support = agreement.support
    if support is None:
        return _absent(agreement)
    if not support.contact.strip() or support.confirmed_on > today:
        return False
    if support.ends_on is None:
        return True
    if today > support.ends_on:
        return False
    return None if request.begins_on is None else request.begins_on <= support.ends_on


def _has_capacity(capacity: CapacityWord | None, today: date) -> bool | None:
    """Say what the practice said, while it is fresh. A word of a later day is no word."""
    if capacity is None or not capacity.said_on <= today <= capacity.said_on + CAPACITY_HOLDS_FOR:
        return None
    return capacity.has_capacity


def _absent(agreement: SharedCareAgreement) -> bool | None:
    """Say what a part is that the record does not hold."""
    return False if agreement.was_read_whole else None


def _all_of(*truths: bool | None) -> bool | None:
    """Join by AND: false if any is, else unknown if any is."""
    if False in truths:
        return False
    return None if None in truths else True
