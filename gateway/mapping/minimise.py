"""A message without what must stay behind, and without what would tell of it.

What enters: a Plan. What leaves: Minimised: the tree that may leave, or none where the referral
itself stays behind, and Withheld, what that comes to. The message that enters is left as it is.

Done in this order, so that nothing done later can depend on what was there before:

1. What is withheld silently is taken out, with all that leads to it or hangs on it alone.
2. What is withheld openly, in the same way.
3. What is outside the recipient's minimum dataset.
4. Narrative: for a purpose that needs explicit consent all of it, else what was generated from
   the data beside it. It may repeat any of them.

Two messages that differ only in what is withheld silently, and in references to it, are the
same after step 1. Minimising twice changes nothing. Not read: narrative that stays, free text,
attachments; `Withheld.freetext_ok` says whether they may tell of what is gone.
"""

from dataclasses import dataclass, field

from gateway.consent.minimum import When
from gateway.consent.withhold import Plan, Why, Withheld
from gateway.mapping.connected import REQUEST, led_to, signatories
from gateway.mapping.remainder import Remainder
from gateway.referral.directory import ProviderRole
from gateway.referral.json import JsonObject

_FROM_DATA = frozenset({"generated", "extensions", "empty"})
"""Narrative that says no more than the data do. Source: FHIR R4, narrative-status."""

_GENERATED = frozenset({"generated"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Minimised:
    """What may leave of a message. `tree` None: not even the referral itself."""

    tree: JsonObject | None = field(repr=False)
    withheld: Withheld


def minimise(plan: Plan) -> Minimised:
    """Take out of a message what its plan says, and what follows from it."""
    left = Remainder(plan.items)
    left.take_out(plan.silent)
    if plan.open:
        left.take_out(plan.open)
    needed = left.reasons | signatories(plan.items)
    is_hit = not needed <= left.here.keys()
    is_minimum = None
    if plan.role is not None and not is_hit:
        is_minimum = not _cut(left, plan, plan.role)
        is_hit = _keeps_reason(plan, plan.role) and not needed <= left.here.keys()
    dropped = left.drop_text(_GENERATED if plan.keeps_text else None)
    if not plan.keeps_text and not _FROM_DATA.issuperset(dropped):
        is_minimum = False
    is_whole = not plan.silent and not plan.open
    return Minimised(
        tree=None if left.request is None else left.tree(),
        withheld=Withheld(
            labels=plan.labels,
            consent_labels=plan.consent_labels,
            sealed=Why.SEALED in plan.silent.values(),
            legal_restricted=Why.LEGALLY_RESTRICTED in plan.silent.values(),
            reason_hit=is_hit,
            minimum=is_minimum,
            freetext_ok=True if is_whole or left.is_labelled_throughout() else None,
            taken_out=tuple(left.taken_out),
        ),
    )


def _keeps_reason(plan: Plan, role: ProviderRole) -> bool:
    """Whether a role may be told why the referral is made; an employer never is."""
    share = plan.minimum.share(role, REQUEST)
    return share is not None and share.elements is None


def _cut(left: Remainder, plan: Plan, role: ProviderRole) -> bool:
    """Cut what is left down to the minimum dataset; tell whether anything had to go."""
    shares = {n: plan.minimum.share(role, plan.items.all[n].type) for n in left.here}
    is_cut = False
    for number, share in shares.items():
        is_cut |= share is not None and left.cut(number, share)
    start = () if left.request is None else (left.request,)
    led = led_to(start, left.leads, lambda n: shares.get(n) is not None)
    kept = left.reasons if _keeps_reason(plan, role) else frozenset()
    going = {
        number: Why.NOT_MINIMUM
        for number, share in shares.items()
        if number not in kept
        and (share is None or (share.when is When.LED_TO and number not in led))
    }
    if going:
        left.take_out(going)
    return is_cut or bool(going)
