"""What a Consent may be made of before this version takes it at its word.

What enters: a Consent. What leaves: yes or no. The tables below name each element that
`directives` reads, and each that cannot change what the patient allows: ids, narrative,
displays, the custodian, the paper it was signed on, the policy's address. Anything else (an
element not named, an extension or modifierExtension at any depth, a sibling such as
`_status`, a value of the wrong kind) makes the Consent one that is not understood.
Not checked: whether required elements are there; `directives` misses them where it reads.
Source: FHIR R4 Consent; IHE PCF for what a provision may hold.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from gateway.consent.labels import label_of
from gateway.referral.json import Json, JsonObject, child, objects

Check: TypeAlias = Callable[[Json], bool]

_CONSENT_SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
_OTHER_MATTERS = frozenset(
    "acd dnr emrgonly hcd npp polst research rsdid rsreid".split()
)  # Source: http://terminology.hl7.org/CodeSystem/consentcategorycodes, lower case


def is_understood(consent: JsonObject) -> bool:
    """Whether each element is one that this version knows, and it is about sharing data."""
    return _CONSENT(consent) and _is_about_privacy(consent) and not _is_about_other_matters(consent)


def _is_about_privacy(consent: JsonObject) -> bool:
    codings = objects(child(consent, "scope") or {}, "coding")
    scopes = {c.get("code") for c in codings if c.get("system") == _CONSENT_SCOPE}
    return scopes == {"patient-privacy"}


def _is_about_other_matters(consent: JsonObject) -> bool:
    """Whether a category says so: emergencies only, advance directives, research, a notice."""
    codings = [c for category in objects(consent, "category") for c in objects(category, "coding")]
    return any(str(c.get("code")).lower() in _OTHER_MATTERS for c in codings)


def _text(value: Json) -> bool:
    return isinstance(value, str)


def _flag(value: Json) -> bool:
    return isinstance(value, bool)


def _opaque(value: Json) -> bool:
    """An object that is not read."""
    return isinstance(value, dict)


def _one_of(*texts: str) -> Check:
    return lambda value: value in texts


def _array(member: Check) -> Check:
    return lambda value: isinstance(value, list) and all(member(each) for each in value)


def _object(parts: Mapping[str, Check]) -> Check:
    """An object with no element but these, each of its kind."""
    return lambda value: (
        isinstance(value, dict)
        and all(name in parts and parts[name](part) for name, part in value.items())
    )


_CODING = _object(
    {
        "id": _text,
        "system": _text,
        "version": _text,
        "code": _text,
        "display": _text,
        "userSelected": _flag,
    }
)
_CONCEPT = _object({"id": _text, "coding": _array(_CODING), "text": _text})
_IDENTIFIER = _object(
    {
        "id": _text,
        "use": _one_of("usual", "official"),
        "type": _opaque,
        "system": _text,
        "value": _text,
        "assigner": _opaque,
    }
)
_REFERENCE = _object(
    {
        "id": _text,
        "reference": _text,
        "type": _text,
        "identifier": _IDENTIFIER,
        "display": _text,
    }
)
_PERIOD = _object({"id": _text, "start": _text, "end": _text})
_ACTOR = _object({"id": _text, "role": _CONCEPT, "reference": _REFERENCE})


def _label(value: Json) -> bool:
    """A security label that this house knows; another might mean anything."""
    return _CODING(value) and isinstance(value, dict) and label_of(value) is not None


_NESTED = _object(
    {
        "id": _text,
        "type": _one_of("permit", "deny"),
        "actor": _array(_ACTOR),
        "purpose": _array(_CODING),
        "securityLabel": _array(_label),
        "dataPeriod": _PERIOD,
    }
)


def _exception(value: Json) -> bool:
    """A nested provision, one level deep. One without a type says nothing certain."""
    return _NESTED(value) and isinstance(value, dict) and "type" in value


_PROVISION = _object(
    {
        "id": _text,
        "type": _one_of("permit", "deny"),
        "period": _PERIOD,
        "actor": _array(_ACTOR),
        "purpose": _array(_CODING),
        "securityLabel": _array(_label),
        "dataPeriod": _PERIOD,
        "provision": _array(_exception),
    }
)
_CONSENT = _object(
    {
        "resourceType": _one_of("Consent"),
        "id": _text,
        "meta": _opaque,
        "language": _text,
        "text": _opaque,
        "identifier": _array(_opaque),
        "status": _text,
        "scope": _CONCEPT,
        "category": _array(_CONCEPT),
        "patient": _REFERENCE,
        "dateTime": _text,
        "performer": _array(_REFERENCE),
        "organization": _array(_opaque),
        "sourceAttachment": _opaque,
        "sourceReference": _opaque,
        "policy": _array(_opaque),
        "policyRule": _CONCEPT,
        "provision": _PROVISION,
    }
)
