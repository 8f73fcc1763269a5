"""Finding a person's referrals by name, date of birth and postcode, together.

What enters: a Patient, or what somebody asks for. What leaves: names under which a referral
is kept: the store keeps only keyed hashes of them. All three must fit: each alone would find
strangers. Names are compared without case, accents, blanks and marks, whole: the family
name, each given name, or both as one text. Source: BaRS Core, find resource.
"""

import unicodedata
from collections.abc import Iterator

from gateway.fhir.same_patient import is_nhs_number
from gateway.referral.json import JsonObject, objects, string, strings
from gateway.referral.model import Identifier

SYSTEM = "demographics"
"""No FHIR system: it keeps these names apart from every identifier."""

_MAX_NAMES = 40


def demographic_names(patient: JsonObject) -> tuple[Identifier, ...]:
    """Name a person by each of their names with each postcode; none where a part is missing."""
    born = string(patient, "birthDate") or ""
    codes = {string(a, "postalCode") or "" for a in objects(patient, "address")} - {""}
    names = {_plain(each) for name in objects(patient, "name") for each in _spellings(name)}
    found = [
        demographic_name(name, born, code)
        for name in sorted(names - {""})
        for code in sorted(codes)
        if born
    ]
    return tuple(found[:_MAX_NAMES])


def demographic_name(name: str, born: str, postcode: str) -> Identifier:
    """Name a person by one name, date of birth and postcode."""
    return Identifier(SYSTEM, f"{_plain(name)}|{born}|{_plain(postcode)}")


def is_same_person(known: JsonObject, claimed: JsonObject) -> bool:
    """Say whether a Patient is shown to be the one that is known.

    Two NHS numbers must be equal, and two dates of birth. Where one of them has no number,
    they have another identifier in common, or the dates of birth and a family name are there
    and fit.
    """
    numbers, birth = (_numbers(known), _numbers(claimed)), _both(known, claimed, "birthDate")
    if all(numbers):
        return numbers[0] == numbers[1] and birth is not False
    if birth is not False and _others(known) & _others(claimed):
        return True
    return birth is True and bool(_families(known) & _families(claimed))


def _both(known: JsonObject, claimed: JsonObject, name: str) -> bool | None:
    """Compare two texts; None where one is missing."""
    one, other = string(known, name), string(claimed, name)
    return one == other if one and other else None


def _numbers(patient: JsonObject) -> set[str]:
    return {
        "".join(filter(str.isdigit, string(each, "value") or ""))
        for each in objects(patient, "identifier")
        if is_nhs_number(each)
    }


def _others(patient: JsonObject) -> set[tuple[str, str]]:
    """List the identifiers that are no NHS number: each by its system and value, both there."""
    found = {
        (string(each, "system") or "", string(each, "value") or "")
        for each in objects(patient, "identifier")
        if not is_nhs_number(each)
    }
    return {each for each in found if all(each)}


def _families(patient: JsonObject) -> set[str]:
    return {_plain(string(name, "family") or "") for name in objects(patient, "name")} - {""}


def _spellings(name: JsonObject) -> Iterator[str]:
    family, given = string(name, "family") or "", strings(name, "given")
    yield family
    yield from given
    yield f"{' '.join(given)} {family}"
    yield f"{' '.join(given[:1])} {family}"
    yield string(name, "text") or ""


def _plain(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(each for each in split if each.isalnum())
