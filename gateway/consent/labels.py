"""Sensitivity labels: one code for each, whatever system it came in.

What enters: a Coding of a Consent or of `meta.security`. What leaves: the label's code, or None
for one that this house does not know, which its callers treat as restricted.
Source: HL7 v3-ActCode (sensitivity) and v3-Confidentiality; the twins of v3-ActCode that the
latter still carries are deprecated and mean the same.
"""

from gateway.referral.json import JsonObject, string

_TERMS = "http://terminology.hl7.org/CodeSystem"
_ACT_CODE = f"{_TERMS}/v3-ActCode"
_CONFIDENTIALITY = f"{_TERMS}/v3-Confidentiality"
_SENSITIVE = frozenset("BH ETH ETHUD GDIS HIV MH OPIOIDUD PSY PSYTHPN SDV SEX STD SUD VIO".split())
_DEPRECATED_TWINS = frozenset({"ETH", "HIV", "PSY", "SDV"})
_EVERYDAY = frozenset({"U", "L", "M", "N"})
RESTRICTED = frozenset({"R", "V"})
"""Levels of confidentiality above the everyday ones: restricted, very restricted."""


def label_of(coding: JsonObject) -> str | None:
    """Return the label's code: a sensitivity, or a level of confidentiality."""
    system, code = string(coding, "system"), string(coding, "code") or ""
    if system == _ACT_CODE and code in _SENSITIVE:
        return code
    if system == _CONFIDENTIALITY and code in _EVERYDAY | RESTRICTED | _DEPRECATED_TWINS:
        return code
    return None


def is_everyday(label: str) -> bool:
    """Whether a label says no more than that these are health data."""
    return label in _EVERYDAY
