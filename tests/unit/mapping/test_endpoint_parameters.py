"""What an endpoint's record may say beside its address, and what it hears where it is wrong."""

import pytest

from gateway.mapping.endpoint_parameters import check_parameters
from gateway.referral.directory import FORMATS, Format, Transport

MESH = {
    "recipient": "OHPROV1",
    "workflow": "REFERRAL",
    "mailbox": "GATEWAY1",
    "password_file": "mesh-password",
    "shared_key_file": "mesh-key",
}
OUTCOMES = {"outcomes": "SAID"}


@pytest.mark.parametrize("written", [f for f in FORMATS[Transport.MESH] if f != Format.GP_CONNECT])
def test_a_mailbox_may_name_the_workflow_of_its_outcomes(written: Format) -> None:
    bars = {"target_identifier": "a|1", "source_identifier": "a|2"}
    more = bars if written is Format.BARS_MESSAGE else {}
    check_parameters(Transport.MESH, written, MESH | more)
    check_parameters(Transport.MESH, written, MESH | more | {"outcomes": "REFERRAL_OUTCOMES"})
    check_parameters(Transport.MESH, written, MESH | more | {"outcomes": "REFERRAL"})
    answered = OUTCOMES | {"outcome_answers": "SAID_ACK"}
    check_parameters(Transport.MESH, written, MESH | more | answered)


WRONG = [
    ("unknown", {"outcome": "X"}, "outcome is unknown; mesh knows recipient, workflow"),
    ("a_path", {"password_file": "../etc/passwd"}, "password_file: the name of a file"),
    ("no_workflow", {"outcomes": "two words"}, "outcomes: the id of a MESH workflow"),
    ("too_long", {"outcomes": "W" * 297}, "outcomes: the id of a MESH workflow"),
    ("that_of_answers", {"outcomes": "REFERRAL_ACK"}, "outcomes: in this workflow come"),
    ("answers_to_nothing", {"outcome_answers": "A"}, "outcome_answers: say in which workflow"),
    ("no_workflow_to_answer", OUTCOMES | {"outcome_answers": "a b"}, "outcome_answers: the id of"),
    ("answers_too_long", OUTCOMES | {"outcome_answers": "W" * 297}, "outcome_answers: the id of"),
    ("as_outcomes", OUTCOMES | {"outcome_answers": "SAID"}, "outcome_answers: in this workflow"),
    ("as_referrals", OUTCOMES | {"outcome_answers": "REFERRAL"}, "outcome_answers: in this work"),
    ("as_theirs", OUTCOMES | {"outcome_answers": "REFERRAL_ACK"}, "outcome_answers: in this work"),
]


@pytest.mark.parametrize(("more", "text"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_parameter_that_is_wrong_is_refused(more: dict[str, str], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        check_parameters(Transport.MESH, Format.FHIR_TRANSACTION, MESH | more)


@pytest.mark.parametrize("name", sorted(MESH))
def test_a_parameter_that_is_missing_is_named(name: str) -> None:
    given = {key: value for key, value in MESH.items() if key != name}
    with pytest.raises(ValueError, match=f"{name} is missing; mesh knows .*outcomes .optional."):
        check_parameters(Transport.MESH, Format.FHIR_TRANSACTION, given)


def test_practices_send_no_outcomes() -> None:
    given = MESH | {"telephone": "0113 496 0000", "outcomes": "REFERRAL_OUTCOMES"}
    with pytest.raises(ValueError, match="practices take letters and send no outcomes"):
        check_parameters(Transport.MESH, Format.GP_CONNECT, given)


def test_only_a_mailbox_brings_outcomes() -> None:
    with pytest.raises(ValueError, match="outcomes is unknown; fhir-rest knows"):
        check_parameters(Transport.FHIR_REST, Format.FHIR_TRANSACTION, {"outcomes": "A"})
