"""Good Facts and good Consents; a test changes the one thing that it is about.

replace(GOOD_FACTS, consent=ConsentState.WITHDRAWN)
a_consent(provision=a_provision(period={"end": "2025-12-31"}))
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from gateway.consent.decide import Effect, Verdict, decide
from gateway.consent.directives import ConsentReading, ConsentState, read_consents
from gateway.consent.facts import VOCABULARY, Codes, Count, Facts, Labels
from gateway.consent.rules import POLICY
from gateway.consent.vocabulary import read_facts
from gateway.consent.withhold import Withheld
from gateway.referral.directory import Purpose
from gateway.referral.identifiers import ODS_CODE_SYSTEM, OWN_BASE, PURPOSE_SYSTEM, OdsCode
from gateway.referral.json import Json, JsonObject
from tests.builders.withhold import a_message, an_observation, minimised

NOW = datetime(2026, 10, 14, 12, 0, tzinfo=UTC)
PROVIDER = OdsCode("OH1")
STRANGER = OdsCode("OH2")
PURPOSE = Purpose.OCCUPATIONAL_HEALTH
PATIENT: JsonObject = {"reference": "urn:uuid:patient"}
ORGANISATIONS: Mapping[str, OdsCode] = {
    "urn:uuid:provider": PROVIDER,
    "urn:uuid:stranger": STRANGER,
}

_TERMS = "http://terminology.hl7.org/CodeSystem"
ACT_CODE = f"{_TERMS}/v3-ActCode"
ACT_REASON = f"{_TERMS}/v3-ActReason"
CONFIDENTIALITY = f"{_TERMS}/v3-Confidentiality"
PARTICIPATION = f"{_TERMS}/v3-ParticipationType"
SCOPE = f"{_TERMS}/consentscope"
KIND_SYSTEM = f"{OWN_BASE}/CodeSystem/consent-kind"

GOOD_FACTS = read_facts({}, of_good_referral=True).facts

COVERS = ConsentReading(
    state=ConsentState.ACTIVE,
    recipient=True,
    purpose=True,
    in_period=True,
    evidence=True,
    given="2026-10-01",
)

FACT_NAMES = tuple(VOCABULARY)
SOME_LABELS = ("PSY", "R")


def possible(fact: str) -> tuple[object, ...]:
    """Every value that a fact may take, one of each kind for open ones; unknown is the last."""
    kind = VOCABULARY[fact]
    if isinstance(kind, Codes):
        others = ("another",) if kind.is_open else ()
        return (*kind.listed, *others, None)
    if isinstance(kind, Count):
        return (0, 20, 21, 30, None)
    if isinstance(kind, Labels):
        return ((), SOME_LABELS[:1], SOME_LABELS, None)
    return (True, False, None)


def facts_from(values: Mapping[str, object]) -> Facts:
    """Change the good facts by the values of a table of cases; null is unknown."""
    typed = {n: tuple(v) if isinstance(v, list) else v for n, v in values.items()}
    return replace(GOOD_FACTS, **typed)  # type: ignore[arg-type]  # a table of cases has no types


def any_facts(**fixed: object) -> st.SearchStrategy[Facts]:
    """Any facts at all, the unknown among them, but for those that are fixed."""
    open_facts = {name: st.sampled_from(possible(name)) for name in FACT_NAMES if name not in fixed}
    return st.fixed_dictionaries(open_facts).map(lambda chosen: facts_from({**chosen, **fixed}))


def coding(system: str, code: str) -> JsonObject:
    return {"system": system, "code": code}


def concept(system: str, code: str) -> JsonObject:
    return {"coding": [coding(system, code)]}


def an_actor(reference: str = "urn:uuid:provider", role: str = "IRCP") -> JsonObject:
    return {"role": concept(PARTICIPATION, role), "reference": {"reference": reference}}


def an_actor_with_ods(value: str, system: str = ODS_CODE_SYSTEM) -> JsonObject:
    return an_actor("") | {"reference": {"identifier": {"system": system, "value": value}}}


def our_purpose(code: str = PURPOSE) -> JsonObject:
    return coding(PURPOSE_SYSTEM, code)


def a_provision(**changes: Json) -> JsonObject:
    return {"actor": [an_actor()], "purpose": [our_purpose()], **changes}


def a_denial(**changes: Json) -> JsonObject:
    return {"type": "deny", **changes}


def a_consent(**changes: Json) -> JsonObject:
    """A patient's explicit Consent to share with the provider for the purpose."""
    return {
        "resourceType": "Consent",
        "status": "active",
        "scope": concept(SCOPE, "patient-privacy"),
        "category": [concept(ACT_CODE, "INFA")],
        "patient": PATIENT,
        "dateTime": "2026-10-01",
        "performer": [PATIENT],
        "policyRule": concept(ACT_CODE, "OPTIN"),
        "provision": a_provision(),
        **changes,
    }


def with_provision(**changes: Json) -> JsonObject:
    return a_consent(provision=a_provision(**changes))


def with_denial(**changes: Json) -> JsonObject:
    return with_provision(provision=[a_denial(**changes)])


def a_pcf_consent(**changes: Json) -> JsonObject:
    """As IHE PCF shapes it: a root type and a policy's address, no policyRule."""
    shaped = a_consent(
        policy=[{"uri": "https://policy.example/oh"}], provision=a_provision(type="permit")
    )
    return without(shaped, "policyRule") | changes


def an_implied_consent(**changes: Json) -> JsonObject:
    """What BaRS sends with every referral: direct care, implied."""
    category = concept("https://fhir.nhs.uk/CodeSystem/consent-categories-bars", "DRC")
    implied = a_consent(category=[category], policyRule=concept(ACT_CODE, "IMPLIED"))
    return without(implied, "provision", "performer") | changes


def of_kind(kind: str, **changes: Json) -> JsonObject:
    """A Consent whose category says which of our two questions it answers."""
    return a_consent(category=[concept(ACT_CODE, "INFA"), concept(KIND_SYSTEM, kind)]) | changes


def a_consent_to_share(**changes: Json) -> JsonObject:
    """Agrees that what comes of the referral goes on; says nothing about being referred."""
    return of_kind("share-plan", **changes)


def without(tree: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in tree.items() if name not in names}


def read(
    *consents: JsonObject, recipient: OdsCode | None = PROVIDER, at: datetime = NOW
) -> ConsentReading:
    return read_consents(
        consents, recipient=recipient, purpose=PURPOSE, organisations=ORGANISATIONS, at=at
    )


def decided(*consents: JsonObject) -> Verdict:
    """Decide a referral that is good in everything but, perhaps, its Consents."""
    reading = read(*consents)
    facts = replace(
        GOOD_FACTS,
        consent=reading.state,
        consent_recipient=reading.recipient,
        consent_purpose=reading.purpose,
        consent_in_period=reading.in_period,
        consent_evidence=reading.evidence,
        authority="none" if reading.is_proxy else "self",
        **_withheld(reading),
    )
    return decide(facts, POLICY)


def _withheld(reading: ConsentReading) -> dict[str, Any]:
    """What it comes to in a message with a plain finding."""
    withheld = minimised(a_message(finding=an_observation()), reading).withheld
    return {
        name: getattr(withheld, name)
        for name in Withheld.__dataclass_fields__
        if name != "taken_out"
    }


def outcome(*consents: JsonObject) -> tuple[Effect, str]:
    verdict = decided(*consents)
    return verdict.effect, verdict.code
