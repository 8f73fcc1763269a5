"""Each answer of a practice's system means what the one table says, and nothing else is read."""

import pytest

from gateway.errors import InvalidMessageError
from gateway.mapping.itk3_answers import AnswerLevel, Meaning, read_answer, read_report
from tests.builders.itk3 import DELIVERY, an_itk3_answer

MEANS = {
    "20013": Meaning.TAKEN,
    "30001": Meaning.IN_WORKFLOW,
    "30004": Meaning.IN_WORKFLOW,
    "20010": Meaning.LEARNED_OFF,
    "20009": Meaning.PERSON,
    "30002": Meaning.RETRACE,
    "30003": Meaning.RETRACE,
    "20007": Meaning.ALREADY_THERE,
    "20008": Meaning.ALREADY_THERE,
    "20014": Meaning.REPLACEMENT_REFUSED,
    "20015": Meaning.TOO_LARGE,
    "30016": Meaning.REFERRAL_STATE,
    "30018": Meaning.REFERRAL_STATE,
    "30019": Meaning.PERSON,
    "10001": Meaning.PERSON,
    "20001": Meaning.PERSON,
    "99999": Meaning.PERSON,
}


@pytest.mark.parametrize("code", MEANS)
def test_a_code_means_what_the_table_says(code: str) -> None:
    answer = read_answer(an_itk3_answer(DELIVERY, code))
    assert (answer.about, answer.code, answer.meaning) == (DELIVERY, code, MEANS[code])


@pytest.mark.parametrize(
    ("code", "level"),
    [
        ("10009", AnswerLevel.INFRASTRUCTURE),
        ("20013", AnswerLevel.INFRASTRUCTURE),
        ("30001", AnswerLevel.BUSINESS),
        ("99999", None),
        ("3000", None),
    ],
)
def test_the_first_digit_says_who_answers(code: str, level: AnswerLevel | None) -> None:
    assert read_answer(an_itk3_answer(DELIVERY, code)).level is level


@pytest.mark.parametrize("code", ["20013", "30001", "30004", "30005", "30016"])
def test_success_is_positive(code: str) -> None:
    assert read_answer(an_itk3_answer(DELIVERY, code)).is_positive


@pytest.mark.parametrize("code", ["20009", "20010", "30002", "30007", "30012", "30018"])
def test_refusal_is_not_positive(code: str) -> None:
    assert not read_answer(an_itk3_answer(DELIVERY, code)).is_positive


@pytest.mark.parametrize(("code", "says"), [("30002", "ok"), ("20013", "fatal-error")])
def test_an_answer_that_contradicts_itself_is_for_a_person(code: str, says: str) -> None:
    answer = read_answer(an_itk3_answer(DELIVERY, code, says=says))
    assert (answer.is_positive, answer.meaning) == (False, Meaning.PERSON)


@pytest.mark.parametrize("says", ["ok", "fatal-error"])
def test_an_answer_without_an_itk3_code_is_for_a_person(says: str) -> None:
    answer = read_answer(
        an_itk3_answer(DELIVERY, "20013", says=says, outcome="<OperationOutcome/>")
    )
    assert (answer.code, answer.level, answer.meaning) == (says, None, Meaning.PERSON)
    assert not answer.is_positive


@pytest.mark.parametrize("code", ["<b>", "9990000018 Avery", "a" * 17])
def test_a_code_that_is_none_is_not_shown(code: str) -> None:
    answer = read_answer(an_itk3_answer(DELIVERY, code))
    assert (answer.code, answer.meaning) == ("UNSPECIFIED", Meaning.PERSON)


def test_a_name_with_the_scheme_of_uuids_is_the_same_name() -> None:
    assert read_answer(an_itk3_answer(f"urn:uuid:{DELIVERY}", "20013")).about == DELIVERY


GOOD = an_itk3_answer(DELIVERY, "20013")
BAD = {
    "empty": b"",
    "no xml": b"<Bundle",
    "no response": GOOD.replace(b"response>", b"nothing>"),
    "no name": GOOD.replace(f'<identifier value="{DELIVERY}"/>'.encode(), b""),
    "document type": b"<!DOCTYPE Bundle>" + GOOD,
    "entities": b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + GOOD,
    "too long": GOOD + b" " * (1024 * 1024),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_answer_is_refused(name: str) -> None:
    with pytest.raises(InvalidMessageError):
        read_answer(BAD[name])


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("14", Meaning.NOT_COLLECTED),
        ("17", Meaning.LEARNED_OFF),
        ("12", Meaning.RETRACE),
        ("EPL-150", Meaning.RETRACE),
        ("EPL-151", Meaning.RETRACE),
        ("EPL-154", Meaning.RETRACE),
        ("EPL-155", Meaning.PERSON),
        ("06", Meaning.PERSON),
    ],
)
def test_a_report_means_what_the_table_says(status: str, meaning: Meaning) -> None:
    assert read_report(status) == (status, meaning)


@pytest.mark.parametrize("status", [None, "", "9990000018 Avery"])
def test_a_report_without_a_code_is_for_a_person(status: str | None) -> None:
    assert read_report(status) == ("UNSPECIFIED", Meaning.PERSON)
