"""The table of sharing rules, as a governance officer reads it.

First working set, for the facts that have a source today; ids and codes are those of the
full table and keep their meaning as it grows. Each row is evaluated for every decision.
`condition` says in words what `when` computes: names are facts (`class` is the purpose's),
joined by AND, OR and NOT in three-valued logic. Texts name no person and quote no message. Patient texts aim at a reading age of 11.
"""

from gateway.consent.decide import Effect, Ground, Policy, Rule, SpineCode
from gateway.consent.directives import ConsentState
from gateway.consent.facts import CLASS_OF, Action, AgreementFact, Facts, PurposeClass
from gateway.consent.kleene import among, both, either, negate
from gateway.referral.directory import AgreementKind, ProviderRole, SwitchValue

_CLINICAL_STRANGERS = (ProviderRole.EMPLOYER, ProviderRole.HR)
_OUT_OF_FORCE = (AgreementFact.SUSPENDED, AgreementFact.WITHDRAWN, AgreementFact.EXPIRED)
_NEVER_GIVEN = (ConsentState.NONE, ConsentState.REJECTED, ConsentState.IN_ERROR)


def _forwards(f: Facts) -> bool:
    return f.action is Action.FORWARD


def _explicit(f: Facts) -> bool:
    return f.purpose_class is PurposeClass.EXPLICIT


def _secondary(f: Facts) -> bool:
    return f.purpose_class is PurposeClass.SECONDARY


def _under_agreement(f: Facts) -> bool:
    return _explicit(f) or _secondary(f)


def _active(f: Facts) -> bool | None:
    return among(f.consent, (ConsentState.ACTIVE,))


RULES = (
    Rule(
        id="R02",
        effect=Effect.DENY,
        code="NOT_CONTROLLER",
        condition="NOT registered",
        when=lambda f: negate(f.registered),
        staff_text="The patient is not registered at the practice that sent this.",
        patient_text="Your own GP practice has to send this.",
        external_text="The sending practice is not responsible for this record.",
        remedy="Let the practice where the patient is registered now send the referral.",
    ),
    Rule(
        id="R03",
        effect=Effect.DENY,
        code="UNKNOWN_RECIPIENT",
        condition="NOT recipient_known",
        when=lambda f: negate(f.recipient_known),
        staff_text="The service or its provider is not in the directory.",
        patient_text="We do not know the service this was sent to.",
        external_text="The service asked for is not known here.",
        remedy="Check the service id, or ask the gateway's operator to add the service.",
        owner="operator",
    ),
    Rule(
        id="R04",
        effect=Effect.HOLD,
        code="RECIPIENT_ASSURANCE_LAPSED",
        condition="NOT recipient_assured",
        when=lambda f: negate(f.recipient_assured),
        staff_text="The provider's security assurance has lapsed.",
        patient_text="We are checking that the service keeps your details safe.",
        external_text="The provider's assurance needs renewing.",
        remedy="Renew the provider's assurance in the directory.",
        owner="operator",
    ),
    Rule(
        id="R05",
        effect=Effect.DENY,
        code="PATIENT_DECEASED",
        condition="action = forward AND deceased",
        when=lambda f: both(_forwards(f), f.deceased),
        staff_text="The message says that the patient has died.",
        patient_text="This cannot be sent.",
        external_text="The referral cannot be made.",
        remedy="Use the Access to Health Records Act 1990 route.",
    ),
    Rule(
        id="R06",
        effect=Effect.DENY,
        code="PURPOSE_NOT_RECOGNISED",
        condition="class = ?",
        when=lambda f: f.purpose_class is PurposeClass.UNLISTED,
        staff_text="The purpose is not one that these rules know.",
        patient_text="We do not know what this is for, so we did not send it.",
        external_text="The purpose is not recognised.",
        remedy="Choose a listed purpose.",
        owner="operator",
    ),
    Rule(
        id="R20",
        effect=Effect.DENY,
        code="NO_AGREEMENT",
        condition="class in explicit, secondary AND (agreement in none, proposed OR"
        " NOT agreement_covers)",
        when=lambda f: both(
            _under_agreement(f),
            either(
                among(f.agreement, (AgreementFact.NONE, AgreementFact.PROPOSED)),
                negate(f.agreement_covers),
            ),
        ),
        staff_text="The practice has no agreement with this provider for this purpose.",
        patient_text="Your practice has not agreed to share details with this service.",
        external_text="No data-sharing agreement covers this.",
        remedy="Sign an agreement that covers the purpose.",
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
    ),
    Rule(
        id="R21",
        effect=Effect.DENY,
        code="AGREEMENT_NOT_IN_FORCE",
        condition="class in explicit, secondary AND agreement in suspended, withdrawn, expired",
        when=lambda f: both(_under_agreement(f), among(f.agreement, _OUT_OF_FORCE)),
        staff_text="The agreement with this provider is not in force.",
        patient_text="Your practice has stopped sharing details with this service.",
        external_text="The data-sharing agreement is not in force.",
        remedy="Reinstate the agreement, or choose another provider.",
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
    ),
    Rule(
        id="R22",
        effect=Effect.DENY,
        code="SECONDARY_SHARING_WITHDRAWN",
        condition="class = secondary AND (sw_secondary = off OR (sw_secondary ="
        " exclusive-withdrawn AND agreement_kind = exclusive-secondary))",
        when=lambda f: both(
            _secondary(f),
            either(
                among(f.sw_secondary, (SwitchValue.OFF,)),
                both(
                    among(f.sw_secondary, (SwitchValue.EXCLUSIVE_WITHDRAWN,)),
                    among(f.agreement_kind, (AgreementKind.EXCLUSIVE_SECONDARY,)),
                ),
            ),
        ),
        staff_text="The practice withdrew sharing for secondary purposes.",
        patient_text="Your practice shares details for your own care only.",
        external_text="The practice does not share for secondary purposes.",
        remedy="The practice decides about its switch.",
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
    ),
    Rule(
        id="R24",
        effect=Effect.HOLD,
        code="MIXED_AGREEMENT_NEEDS_DECISION",
        condition="class = secondary AND sw_secondary = exclusive-withdrawn AND"
        " agreement_kind in mixed, direct",
        when=lambda f: both(
            _secondary(f),
            among(f.sw_secondary, (SwitchValue.EXCLUSIVE_WITHDRAWN,)),
            among(f.agreement_kind, (AgreementKind.MIXED, AgreementKind.DIRECT)),
        ),
        staff_text="The agreement serves direct care and secondary purposes alike.",
        patient_text="Your practice has to decide whether this may be shared.",
        external_text="The practice has to decide.",
        remedy="The practice says whether the secondary part of this agreement stops.",
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
    ),
    Rule(
        id="R30",
        effect=Effect.DENY,
        code="NO_PATIENT_CONSENT",
        condition="action = forward AND class = explicit AND consent in none, rejected,"
        " entered-in-error",
        when=lambda f: both(_forwards(f), _explicit(f), among(f.consent, _NEVER_GIVEN)),
        staff_text="There is no explicit consent of the patient for this.",
        patient_text="You have not said yes to this, so we did not send it.",
        external_text="The patient has not consented.",
        remedy="Ask the patient; send the referral again with an active Consent that names"
        " the provider and the purpose.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
    ),
    Rule(
        id="R30b",
        effect=Effect.HOLD,
        code="CONSENT_NOT_YET_GIVEN",
        condition="action = forward AND class = explicit AND consent = proposed",
        when=lambda f: both(_forwards(f), _explicit(f), among(f.consent, (ConsentState.PROPOSED,))),
        staff_text="The patient was asked and has not answered.",
        patient_text="We are waiting for your answer.",
        external_text="Waiting for the patient.",
        remedy="Ask the patient to answer.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
    ),
    Rule(
        id="R31",
        effect=Effect.DENY,
        code="CONSENT_WITHDRAWN",
        condition="action = forward AND class = explicit AND consent = withdrawn",
        when=lambda f: both(
            _forwards(f), _explicit(f), among(f.consent, (ConsentState.WITHDRAWN,))
        ),
        staff_text="The patient withdrew consent.",
        patient_text="You changed your mind, so we did not send it.",
        external_text="The patient has not consented.",
        remedy="Nothing leaves unless the patient gives a new consent.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
    ),
    Rule(
        id="R32",
        effect=Effect.DENY,
        code="CONSENT_EXPIRED",
        condition="action = forward AND class = explicit AND consent = active AND"
        " NOT consent_in_period",
        when=lambda f: both(_forwards(f), _explicit(f), _active(f), negate(f.consent_in_period)),
        staff_text="The period of the patient's consent has ended or not begun.",
        patient_text="The time you agreed to is over, so we did not send it.",
        external_text="The patient's consent is out of date.",
        remedy="Ask the patient for a new consent.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
    ),
    Rule(
        id="R33",
        effect=Effect.HOLD,
        code="CONSENT_DOES_NOT_COVER",
        condition="action = forward AND class = explicit AND consent = active AND"
        " (NOT consent_recipient OR NOT consent_purpose)",
        when=lambda f: both(
            _forwards(f),
            _explicit(f),
            _active(f),
            either(negate(f.consent_recipient), negate(f.consent_purpose)),
        ),
        staff_text="The patient's consent does not name this provider, or not this purpose.",
        patient_text="You said yes to something else. We will ask you first.",
        external_text="The patient's consent does not cover this.",
        remedy="Ask the patient about this provider and purpose; send the answer as a Consent.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
    ),
    Rule(
        id="R34",
        effect=Effect.HOLD,
        code="CONSENT_EVIDENCE_WEAK",
        condition="action = forward AND class = explicit AND consent = active AND"
        " NOT consent_evidence",
        when=lambda f: both(_forwards(f), _explicit(f), _active(f), negate(f.consent_evidence)),
        staff_text="The Consent does not say who gave it and when.",
        patient_text="We are checking what you agreed to.",
        external_text="The evidence of consent is incomplete.",
        remedy="Complete Consent.performer and Consent.dateTime.",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
    ),
    Rule(
        id="R50",
        effect=Effect.DENY,
        code="EMPLOYER_NEVER_SEES_CLINICAL",
        condition="action = forward AND recipient_role in employer, hr",
        when=lambda f: both(_forwards(f), among(f.recipient_role, _CLINICAL_STRANGERS)),
        staff_text="An employer or HR service never receives a clinical referral.",
        patient_text="We never send your medical details to your employer.",
        external_text="This recipient may not receive a referral.",
        remedy="Refer to an occupational health provider.",
    ),
    Rule(
        id="R53",
        effect=Effect.HOLD,
        code="RECIPIENT_NO_CAPACITY",
        condition="action = forward AND NOT recipient_accepting",
        when=lambda f: both(_forwards(f), negate(f.recipient_accepting)),
        staff_text="The service takes no referrals at present.",
        patient_text="The service is full. We are looking for another.",
        external_text="The service has no capacity.",
        remedy="Choose another service, with the patient's consent, or wait.",
        owner="operator",
    ),
    Rule(
        id="R61",
        effect=Effect.HOLD,
        code="PAYLOAD_CHANGED",
        condition="NOT payload_hash_ok",
        when=lambda f: negate(f.payload_hash_ok),
        staff_text="What would be sent is not what was received.",
        patient_text="We are checking your referral before it goes.",
        external_text="The referral is being checked.",
        remedy="Find out who changed the stored message; send the referral again.",
        owner="operator",
    ),
)

GROUNDS = (
    Ground(
        id="G1",
        condition="class = direct AND action = forward AND registered",
        when=lambda f: both(f.purpose_class is PurposeClass.DIRECT, _forwards(f), f.registered),
        staff_text="Direct care of a registered patient, under implied consent.",
    ),
    Ground(
        id="G2",
        condition="class = explicit AND action = forward AND consent = active AND"
        " consent_in_period AND consent_recipient AND consent_purpose AND consent_evidence",
        when=lambda f: both(
            _explicit(f),
            _forwards(f),
            _active(f),
            f.consent_in_period,
            f.consent_recipient,
            f.consent_purpose,
            f.consent_evidence,
        ),
        staff_text="The patient's explicit consent names this provider and purpose.",
    ),
)

_NO_GROUND = Rule(
    id="R00",
    effect=Effect.DENY,
    code="NO_GROUND",
    condition="no ground holds",
    when=lambda _: None,
    staff_text="No ground permits this.",
    patient_text="There was no good reason to send this, so we did not.",
    external_text="There is no basis for sharing this.",
    remedy="Choose a purpose that fits the act.",
)
_UNKNOWN = Rule(
    id="R01",
    effect=Effect.HOLD,
    code="FACT_UNKNOWN",
    condition="a fact that a rule or ground needs is unknown",
    when=lambda _: None,
    staff_text="A fact that this decision needs is not known.",
    patient_text="We need to check something before we send this.",
    external_text="The referral is being checked.",
    remedy="Complete the message or the directory; the code names the rule that asks.",
)


def obligations(effect: Effect, facts: Facts) -> tuple[str, ...]:
    """Name the duties that come with an effect, in alphabetical order."""
    if effect is Effect.HOLD:
        return ("TASK",)
    if effect is Effect.DENY:
        return ("NOTIFY_REFERRER",)
    duties = {"LOG_DISCLOSURE", "NOTIFY_PRACTICE", "RECALL_HANDLE"}
    if _explicit(facts):
        duties |= {"COPY_TO_PATIENT", "MINEC", "NORDSCLCD", "NOREUSE"}
    return tuple(sorted(duties))


POLICY = Policy(
    rules=RULES,
    grounds=GROUNDS,
    no_ground=_NO_GROUND,
    unknown=_UNKNOWN,
    explains_missing_ground=frozenset({"R30b", "R33", "R34", "R01"}),
    obligations=obligations,
)


def handling_labels(purpose: str) -> tuple[str, ...]:
    """Name the obligations that travel with data released for this purpose.

    Returns: codes of v3-ActCode for `meta.security`, in alphabetical order.
    """
    if CLASS_OF.get(purpose) is PurposeClass.EXPLICIT:
        return ("NORDSCLCD", "NOREUSE")
    return ()
