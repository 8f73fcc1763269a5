"""Who is shown to be the person of a referral that is taken back."""

from typing import Any

import pytest

from gateway.fhir.demographics import is_same_person

NHS = "https://fhir.nhs.uk/Id/nhs-number"
OWN = "https://gp.example/person"


def person(*identifiers: tuple[str, str], born: str | None = None, family: str = "") -> Any:
    tree: dict[str, Any] = {"resourceType": "Patient"}
    tree["identifier"] = [
        {name: text for name, text in (("system", s), ("value", v)) if text} for s, v in identifiers
    ]
    if born:
        tree["birthDate"] = born
    if family:
        tree["name"] = [{"family": family}]
    return tree


KNOWN = person((NHS, "9990000018"), (OWN, "a-1"), born="1980-02-29", family="Testperson")


@pytest.mark.parametrize(
    ("claimed", "is_same"),
    [
        (person((OWN, "a-1")), True),
        (person((OWN, "a-1"), born="1980-02-29"), True),
        (person((OWN, "a-2")), False),
        (person(("https://other.example/person", "a-1")), False),
        (person(("", "a-1")), False),
        (person((OWN, "")), False),
        (person((OWN, "a-1"), born="1980-02-28"), False),
        (person((OWN, "a-1"), (NHS, "9990000026")), False),
        (person((NHS, "999 000 0018")), True),
        (person(born="1980-02-29", family="TESTPERSON"), True),
        (person(born="1980-02-29"), False),
        (person(), False),
    ],
)
def test_a_person_is_shown_by_a_number_a_name_in_common_or_birth_and_family(
    claimed: Any, *, is_same: bool
) -> None:
    assert is_same_person(KNOWN, claimed) is is_same


def test_two_identifiers_without_a_system_have_nothing_in_common() -> None:
    assert not is_same_person(person(("", "a-1")), person(("", "a-1")))
