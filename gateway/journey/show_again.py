"""Show a provider a referral that it has: decided again, minimised again, and recorded.

What enters: a provider and the id of a referral that was brought to it. What leaves: the
ServiceRequest as it would be released at this moment, or a refusal. It is a release by another
door: the gates are held, the rules are asked on the facts of the moment, and the decision is
bound to the bytes. Must never: show the bytes as received, or what was cancelled or recalled; or
let anybody else learn that there is such a referral.
Source: the sharing rules, section 10; the decision is taken again at every send.
"""

import hashlib

from gateway.consent.decide import Effect, SpineCode, Verdict
from gateway.errors import ConsentRefusedError
from gateway.fhir.read_referral import read_referral
from gateway.fhir.text import read_resource
from gateway.journey.consider import About, Answer, case_of, consider, keep, now
from gateway.journey.disclose import Question, read_of
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import shown_of
from gateway.journey.sign_in import refuse_access
from gateway.ledger.kinds import Interaction, Stage
from gateway.mapping.fhir_rest import written
from gateway.mapping.one_resource import one_service_request
from gateway.mapping.outgoing import Outgoing, notice_of
from gateway.referral.directory import Scope
from gateway.referral.identifiers import ReferralId
from gateway.referral.json import JsonObject
from gateway.referral.lifecycle import DeliveryKind, DeliveryState, ReferralState
from gateway.referral.model import Delivery, Referral, Sender
from gateway.routing.candidates import Candidate
from gateway.store import deliveries, feeds, gates, referrals
from gateway.store.directory import DirectoryAsOf
from gateway.store.engine import Transaction

TAKEN_BACK = "TAKEN_BACK"
"""Why a provider is refused a referral that it had: it was cancelled or recalled since."""


def brought_to(sender: Sender, referral_id: ReferralId, gateway: Gateway) -> Delivery | None:
    """Find the delivery that brought a referral of somebody else's to the sender."""
    with gateway.store.reading() as view:
        own = [
            each
            for each in deliveries.of_referral(view, referral_id)
            if each.kind is DeliveryKind.REFERRAL
            and each.provider == sender.ods
            and feeds.names(view, sender.ods, each.id)
        ]
        if not own or referrals.get(view, referral_id).practice == sender.ods:
            return None
    return own[-1]


def show_again(sender: Sender, brought: Delivery, gateway: Gateway) -> JsonObject:
    """Show a referral to the provider to whom it was brought.

    --- one transaction ---
    1. Hold the gates of the practice, the recipient and the person; let nobody move it.
    2. Take out what must stay behind, decide again, and bind the decision to the bytes.
    3. PERMIT: record that it is shown.
    --- end ---
    4. Refuse what was not permitted, or was taken back since.

    Raises:
        ConsentRefusedError: the rules said no, or it was taken back; that is on record.
    """
    with gateway.store.transaction(gateway.clock()) as tx:
        present = _held_still(tx, brought)
        tree, refusal = None, _taken_back()
        if present is not None:
            tree, verdict = _decide(tx, gateway, sender, present, brought)
            refusal = _refused(verdict)
            if tree is not None:
                tx.record(read_of(sender, _asked(present), shown_of(present)))
    if present is None:
        refuse_access(gateway, sender, Scope.REFERRAL_READ, TAKEN_BACK)
    if tree is None:
        raise refusal
    return tree


def _asked(present: Referral) -> Question:
    return Question(type="ServiceRequest", interaction=Interaction.READ, by={"_id": present.id})


def _held_still(tx: Transaction, brought: Delivery) -> Referral | None:
    """Step 1. None: it was taken back, or the provider has it no longer."""
    present = referrals.find(tx, brought.referral)
    if present is None:
        return None
    gates.hold(tx, present.id, recipient=brought.provider)
    delivery = deliveries.lock(tx, brought.id)
    present = referrals.hold_still(tx, brought.referral)
    has_it = delivery.state is DeliveryState.DELIVERED
    is_live = present.state is ReferralState.DELIVERED and not present.is_cancelled
    return present if has_it and is_live else None


def _decide(
    tx: Transaction, gateway: Gateway, sender: Sender, present: Referral, brought: Delivery
) -> tuple[JsonObject | None, Verdict]:
    """Step 2. Returns: what may be shown, None for nothing; and what the rules said."""
    received = referrals.body_of(tx, present.id)
    service = DirectoryAsOf(tx, tx.at).service(brought.service)
    answer = consider(
        tx,
        gateway,
        case_of(present, read_referral(read_resource(received)), received, now(tx)),
        Candidate(service=service, purpose=present.purpose),
    )
    tree = _shown(gateway, answer, present, brought)
    keep(
        tx,
        gateway,
        answer,
        About(
            stage=Stage.READ,
            practice=present.practice,
            subject=present.subject,
            referral=present.id,
            delivery=brought.id,
            payload_sha256=hashlib.sha256(written(tree) if tree else b"").hexdigest(),
            actor=sender.client,
        ),
    )
    is_permitted = answer.verdict.effect is Effect.PERMIT
    return (tree if is_permitted else None), answer.verdict


def _shown(
    gateway: Gateway, answer: Answer, present: Referral, brought: Delivery
) -> JsonObject | None:
    minimised = answer.minimised
    if minimised.tree is None:
        return None
    notice = notice_of(
        minimised.withheld, policy_version=answer.verdict.policy_version, by=gateway.ods
    )
    return one_service_request(Outgoing(tree=minimised.tree, notice=notice), present, brought)


def _refused(verdict: Verdict) -> ConsentRefusedError:
    """Say no as to an outside party: the coarse text, and no remedy, which is the practice's."""
    reason = verdict.primary
    return ConsentRefusedError(
        code=verdict.code_outside,
        spine_code=SpineCode.ACCESS_DENIED
        if reason is None or verdict.tells_nothing
        else reason.spine_code,
        external_text=reason.external_text if reason else "The referral may not be shown.",
        remedy="Ask the practice that sent it.",
    )


def _taken_back() -> ConsentRefusedError:
    return ConsentRefusedError(
        code=TAKEN_BACK,
        spine_code=SpineCode.ACCESS_DENIED,
        external_text="This referral was taken back, and is no longer shown.",
        remedy="The Task with the code abort asks to stop; answer it.",
    )
