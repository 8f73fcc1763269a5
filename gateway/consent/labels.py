"""Sensitivity labels: one code for each, whatever system it came in.

What enters: a Coding of a Consent, of `meta.security` or of an inline label. What leaves: the
label's code, or None for one that this house does not know, which its callers treat as
restricted. Source: HL7 v3-ActCode (sensitivity) and v3-Confidentiality; the twins of v3-ActCode
that the latter still carries are deprecated and mean the same.

Two marks of our own are no labels: nobody's consent lifts them (see `Restriction`).
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum

from gateway.referral.identifiers import OWN_BASE
from gateway.referral.json import JsonObject, string

RESTRICTION_SYSTEM = f"{OWN_BASE}/CodeSystem/restriction"

_TERMS = "http://terminology.hl7.org/CodeSystem"
_ACT_CODE = f"{_TERMS}/v3-ActCode"
_CONFIDENTIALITY = f"{_TERMS}/v3-Confidentiality"

_SENSITIVITIES = """
SPI      | BH, COGN, DVD, EMOTDIS, MH, PSY, PSYTHPN, ETH, SUD, ETHUD, OPIOIDUD
BH       | COGN, DVD, EMOTDIS, MH, PSY, PSYTHPN, ETH, SUD, ETHUD, OPIOIDUD
COGN     |
DVD      |
EMOTDIS  |
MH       | EMOTDIS, PSY, PSYTHPN
PSY      | PSYTHPN
PSYTHPN  |
ETH      | SUD, ETHUD, OPIOIDUD
SUD      | ETH, ETHUD, OPIOIDUD
ETHUD    |
OPIOIDUD |
SEX      | STD, PREGNANT
STD      |
PREGNANT |
SDV      | MST
MST      |
VIO      | SDV, MST
GDIS     | SCA
SCA      |
HIV      |
TBOO     |
"""
"""A sensitivity, and what a denial of it denies with it.

HL7 puts BH, MH, PSY, PSYTHPN and SUD beside each other under SPI, COGN, DVD and EMOTDIS under
BH, ETHUD and OPIOIDUD under SUD, and the others under nothing. A person who denies "mental
health" means psychiatry too: what else stands here is our own reading, and only ever withholds
more. A permission covers the code itself and no other."""

_DENIES: Mapping[str, frozenset[str]] = {
    code.strip(): frozenset(each.strip() for each in (*with_it.split(","), code) if each.strip())
    for code, _, with_it in (row.partition("|") for row in _SENSITIVITIES.strip().splitlines())
}
_DEPRECATED_TWINS = frozenset({"ETH", "HIV", "PSY", "SDV"})
_LEVELS = ("U", "L", "M", "N", "R", "V")
"""Levels of confidentiality, the lowest first. Source: v3-Confidentiality."""

NORMAL = "N"
"""The level of what nobody labelled: health data. Source: v3-Confidentiality, usage note."""

UNKNOWN_LABEL = "R"
"""What a label that this house does not know counts as."""

_EVERYDAY = frozenset({"U", "L", "M", "N"})
RESTRICTED = frozenset({"R", "V"})
"""Levels of confidentiality above the everyday ones: restricted, very restricted."""

_HANDLING: Mapping[str, frozenset[str]] = {
    _ACT_CODE: frozenset(
        "CPLYCD DEID DELAU MASK MINEC NODSCLCDS NOLIST NOMOU NORDSCLCD NOREUSE PSEUD REDACT".split()
    ),
    f"{_TERMS}/v3-ActReason": frozenset({"HTEST"}),
    f"{_TERMS}/v3-ObservationValue": frozenset({"REDACTED", "SUBSETTED"}),
}
"""Marks that tell how to handle data, or that they are test data; none says how sensitive."""


class Restriction(StrEnum):
    """What never leaves, and of which nothing tells that it was there.

    SEALED: marked private by the practice. LEGALLY_RESTRICTED: the Human Fertilisation and
    Embryology Acts 1990 and 2008, or the Gender Recognition Act 2004, forbid its disclosure.
    """

    SEALED = "sealed"
    LEGALLY_RESTRICTED = "legally-restricted"


def label_of(coding: JsonObject) -> str | None:
    """Return the label's code: a sensitivity, or a level of confidentiality."""
    system, code = string(coding, "system"), string(coding, "code") or ""
    if system == _ACT_CODE and code in _DENIES:
        return code
    if system == _CONFIDENTIALITY and (code in _LEVELS or code in _DEPRECATED_TWINS):
        return code
    return None


def label_or_unknown(coding: JsonObject) -> str | None:
    """Return the label of an item, `UNKNOWN_LABEL` for one not known; None for a mark of handling."""
    label = label_of(coding)
    if label is not None:
        return label
    handling = _HANDLING.get(string(coding, "system") or "", frozenset())
    return None if string(coding, "code") in handling else UNKNOWN_LABEL


def restriction_of(coding: JsonObject) -> Restriction | None:
    """Return the restriction that a coding states; one of our system not known is SEALED."""
    if string(coding, "system") != RESTRICTION_SYSTEM:
        return None
    legal = string(coding, "code") == Restriction.LEGALLY_RESTRICTED
    return Restriction.LEGALLY_RESTRICTED if legal else Restriction.SEALED


def is_label(coding: JsonObject) -> bool:
    """Whether a coding that need be no label says what only a label says: more than everyday."""
    label = label_of(coding)
    return restriction_of(coding) is not None or (label is not None and not is_everyday(label))


def is_everyday(label: str) -> bool:
    """Whether a label says no more than that these are health data."""
    return label in _EVERYDAY


def level_of(labels: Iterable[str]) -> str:
    """Return the highest level of confidentiality among labels; N where they name none."""
    return max((each for each in labels if each in _LEVELS), key=_LEVELS.index, default=NORMAL)


def permitted_by(label: str) -> frozenset[str]:
    """List what a permission of a label covers: a level covers those below it."""
    if label in _LEVELS:
        return frozenset(_LEVELS[: _LEVELS.index(label) + 1])
    return frozenset({label})


def denied_by(label: str) -> frozenset[str]:
    """List what a denial of a label denies: a level denies itself alone. See `_SENSITIVITIES`."""
    return _DENIES.get(label, frozenset({label}))
