"""Which items of a message must stay behind, and why, before anything is taken out.

What enters: the items of a message, what the patient's Consents cover, the purpose, and the
recipient's role. What leaves: a Plan. `mapping.minimise` carries it out and finds what follows
from it; that is Withheld, which the rules decide on. Nothing here changes a message.

Silent: what is sealed or legally restricted never leaves, for any purpose, and nothing may tell
that it was there: no mark, no count, no placeholder. Open: for a purpose that needs explicit
consent, what the Consents do not cover, and what bears a label that they do not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gateway.consent.cover import ALL_DATA, Subject, covers
from gateway.consent.directives import ConsentReading
from gateway.consent.facts import CLASS_OF, PurposeClass
from gateway.consent.items import Item, Items
from gateway.consent.labels import RESTRICTED, Restriction, is_everyday
from gateway.consent.minimum import Minimum
from gateway.referral.directory import ProviderRole

NOT_COVERED_LABEL: Final = "NOT_COVERED"
"""Stands among the labels where an item is withheld for another reason than its label."""


class Why(StrEnum):
    """Why something was taken out. Once released, never respelt: it stands in decisions.

    NOT_CONNECTED: nothing that leaves leads to it, or it cannot stand without what went.
    """

    NOT_CONSENTED = "not-consented"
    NOT_COVERED = "not-covered"
    SEALED = "sealed"
    LEGALLY_RESTRICTED = "legally-restricted"
    NOT_MINIMUM = "not-minimum"
    NOT_CONNECTED = "not-connected"


OPEN: Final = frozenset({Why.NOT_CONSENTED, Why.NOT_COVERED})
SILENT: Final = frozenset({Why.SEALED, Why.LEGALLY_RESTRICTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be taken out, by the number of the item.

    In `items` no name that something else bears leads to what is to be taken out.
    `role` None: nobody is known to receive, so no minimum is known. `keeps_text`: narrative
    that says more than the data may leave. `labels` are those of what may be seen to be there.
    """

    items: Items
    silent: Mapping[int, Why]
    open: Mapping[int, Why]
    minimum: Minimum
    role: ProviderRole | None
    keeps_text: bool
    labels: tuple[str, ...]
    consent_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOut:
    """One item, or part of one, that stays behind: its type and why. No value of it."""

    type: str
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """What a plan comes to, as the rules ask for it. None means unknown.

    `reason_hit`: the reason of the referral, or the referral itself, would stay behind.
    `minimum`: all was within the minimum dataset; False: something was cut. `freetext_ok`
    None: something stays behind, and a document that would leave may tell of it.
    """

    labels: tuple[str, ...]
    consent_labels: tuple[str, ...]
    sealed: bool
    legal_restricted: bool
    reason_hit: bool
    minimum: bool | None
    freetext_ok: bool | None
    taken_out: tuple[TakenOut, ...] = ()

    @property
    def duties(self) -> frozenset[str]:
        """Name the obligations for which something was taken out."""
        why = {each.why for each in self.taken_out}
        found = {"REDACT"} if why & (OPEN | SILENT) else set()
        found |= {"REDACT_SILENT"} if why & SILENT else set()
        return frozenset(found | ({"MINEC"} if self.minimum is False else set()))

    @property
    def openly(self) -> tuple[TakenOut, ...]:
        """List what the recipient and the sender may know to be missing."""
        return tuple(each for each in self.taken_out if each.why in OPEN)


def plan_for(
    items: Items,
    *,
    reading: ConsentReading,
    purpose: str,
    role: ProviderRole | None,
    minimum: Minimum,
) -> Plan:
    """Plan what stays behind of a message for one purpose and recipient."""
    is_explicit = CLASS_OF.get(purpose) is PurposeClass.EXPLICIT
    silent = {
        item.number: _restriction(found)
        for item in items.all
        if (found := items.restrictions | item.restrictions)
    }
    labels: set[str] = set()
    open_: dict[int, Why] = {}
    for item in items.all:
        if item.number in silent:
            continue
        own = _labels_of(item, items.labels)
        labels |= own
        why = _reason(item, item.labels | items.labels, own, reading)
        if is_explicit and why is not None:
            open_[item.number] = why
    if Why.NOT_COVERED in open_.values():
        labels.add(NOT_COVERED_LABEL)
    return Plan(
        items=items.but_for(silent).but_for(open_) if silent or open_ else items,
        silent=silent,
        open=open_,
        minimum=minimum,
        role=role,
        keeps_text=not is_explicit,
        labels=tuple(sorted(labels)),
        consent_labels=reading.labels,
    )


def _restriction(found: frozenset[Restriction]) -> Why:
    legal = Restriction.LEGALLY_RESTRICTED in found
    return Why.LEGALLY_RESTRICTED if legal else Why.SEALED


def _labels_of(item: Item, of_all: frozenset[str]) -> frozenset[str]:
    """List the labels above the everyday ones that an item bears.

    A Patient that is restricted as such is a protected person: that is a fact of its own.
    """
    if not item.labels and not of_all:
        return frozenset()
    own = {label for label in item.labels | of_all if not is_everyday(label)}
    return frozenset(own - RESTRICTED if item.type == "Patient" else own)


def _reason(
    item: Item, labels: frozenset[str], sensitive: frozenset[str], reading: ConsentReading
) -> Why | None:
    if not sensitive.issubset(reading.labels):
        return Why.NOT_CONSENTED
    if reading.cover is ALL_DATA:
        return None
    if item.type == "Patient":
        labels -= RESTRICTED
    subject = Subject(type=item.type, labels=labels, resource=item.resource)
    return None if covers(reading.cover, subject) else Why.NOT_COVERED
