"""Rules of clinical resources. See `gateway.fhir.invariants`."""

from typing import Final

from gateway.fhir.invariants.rule import Invariant, codings, has, has_choice, is_one_of, number
from gateway.referral.json import JsonObject, child, objects

_ALLERGY_VERIFICATION: Final = (
    "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
)
_CONDITION_VERIFICATION: Final = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
_CONDITION_CLINICAL: Final = "http://terminology.hl7.org/CodeSystem/condition-clinical"
_UCUM: Final = "http://unitsofmeasure.org"
_WHOLE_PERCENT: Final = 100


def _is_error(resource: JsonObject, system: str) -> bool:
    return (system, "entered-in-error") in codings(resource, "verificationStatus")


def _abated_is_over(condition: JsonObject) -> bool:
    over = {(_CONDITION_CLINICAL, code) for code in ("resolved", "remission", "inactive")}
    return not has_choice(condition, "abatement") or bool(
        over & codings(condition, "clinicalStatus")
    )


def _component_does_not_repeat(observation: JsonObject) -> bool:
    if not has_choice(observation, "value"):
        return True
    own = codings(observation, "code")
    return not any(own & codings(each, "code") for each in objects(observation, "component"))


def _is_percentage_range(prediction: JsonObject) -> bool:
    bounds = child(prediction, "probabilityRange") or {}
    ends = (child(bounds, name) for name in ("low", "high"))
    return all(
        is_one_of(end, "code", "%") and is_one_of(end, "system", _UCUM)
        for end in ends
        if end is not None
    )


def _is_at_most_one_hundred(prediction: JsonObject) -> bool:
    value = number(prediction, "probabilityDecimal")
    return value is None or value <= _WHOLE_PERCENT


INVARIANTS: Final = (
    Invariant(
        "AllergyIntolerance",
        "ait-1",
        "clinicalStatus is needed unless the record was entered in error",
        lambda allergy: has(allergy, "clinicalStatus") or _is_error(allergy, _ALLERGY_VERIFICATION),
    ),
    Invariant(
        "AllergyIntolerance",
        "ait-2",
        "a record entered in error has no clinicalStatus",
        lambda allergy: (
            not has(allergy, "clinicalStatus") or not _is_error(allergy, _ALLERGY_VERIFICATION)
        ),
    ),
    Invariant(
        "Condition",
        "con-4",
        "an abated condition needs a clinicalStatus of inactive, remission or resolved",
        _abated_is_over,
    ),
    Invariant(
        "Condition",
        "con-5",
        "a condition entered in error has no clinicalStatus",
        lambda condition: (
            not has(condition, "clinicalStatus")
            or not _is_error(condition, _CONDITION_VERIFICATION)
        ),
    ),
    Invariant(
        "Condition.stage",
        "con-1",
        "a stage needs a summary or an assessment",
        lambda stage: has(stage, "summary") or has(stage, "assessment"),
    ),
    Invariant(
        "Condition.evidence",
        "con-2",
        "evidence needs a code or a detail",
        lambda evidence: has(evidence, "code") or has(evidence, "detail"),
    ),
    Invariant(
        "Observation",
        "obs-6",
        "give either a value or a dataAbsentReason",
        lambda observation: (
            not (has(observation, "dataAbsentReason") and has_choice(observation, "value"))
        ),
    ),
    Invariant(
        "Observation",
        "obs-7",
        "where a component has the observation's own code, the observation has no value",
        _component_does_not_repeat,
        only_with="component",
    ),
    Invariant(
        "Observation.referenceRange",
        "obs-3",
        "a reference range needs low, high or text",
        lambda bounds: any(has(bounds, name) for name in ("low", "high", "text")),
    ),
    Invariant(
        "FamilyMemberHistory",
        "fhs-1",
        "give either age[x] or born[x]",
        lambda history: not (has_choice(history, "age") and has_choice(history, "born")),
    ),
    Invariant(
        "FamilyMemberHistory",
        "fhs-2",
        "estimatedAge needs an age[x]",
        lambda history: has_choice(history, "age") or not has(history, "estimatedAge"),
    ),
    Invariant(
        "Goal.target",
        "gol-1",
        "detail[x] needs a measure",
        lambda target: has(target, "measure") or not has_choice(target, "detail"),
    ),
    Invariant(
        "Immunization.education",
        "imm-1",
        "give a documentType or a reference",
        lambda education: has(education, "documentType") or has(education, "reference"),
    ),
    Invariant(
        "RiskAssessment.prediction",
        "ras-1",
        "the ends of a probability range are percentages in UCUM",
        _is_percentage_range,
        lambda _prediction: [".probability"],
    ),
    Invariant(
        "RiskAssessment.prediction",
        "ras-2",
        "a probability may not be above 100",
        _is_at_most_one_hundred,
    ),
)
