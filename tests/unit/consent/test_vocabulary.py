"""Facts as JSON: read, remarked upon, refused."""

import pytest

from gateway.consent.facts import VOCABULARY, AgreementFact, Facts
from gateway.consent.vocabulary import GOOD_REFERRAL, read_facts


def test_what_is_left_out_is_unknown() -> None:
    assert read_facts({}).facts == Facts()


def test_a_good_referral_fills_what_is_left_out_and_only_that() -> None:
    facts = read_facts({"agreement": "none", "consent": None}, of_good_referral=True).facts
    assert (facts.agreement, facts.consent, facts.registered) == (AgreementFact.NONE, None, True)


def test_a_good_referral_says_every_fact() -> None:
    assert list(GOOD_REFERRAL) == list(VOCABULARY)
    assert read_facts(GOOD_REFERRAL).remarks == ()


def test_labels_become_facts_that_nobody_can_change() -> None:
    assert read_facts({"labels": ["PSY"]}).facts.labels == ("PSY",)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"colour": "red"}, "colour is not a fact"),
        ({"999 000 0018": 1}, "a name is not a fact"),
        ({"sources": []}, "sources is not a fact"),
        ({"registered": "yes"}, "registered is to be true or false, or null"),
        ({"registered": 1}, "registered is to be true or false, or null"),
        ({"sight_days": -1}, "sight_days is to be a whole number, not below 0, or null"),
        ({"sight_days": True}, "sight_days is to be a whole number, not below 0, or null"),
        ({"labels": "PSY"}, "labels is to be a list of labels, or null"),
        ({"labels": [1]}, "labels is to be a list of labels, or null"),
        ({"labels": [""]}, "labels is to be a list of labels, or null"),
        ({"agreement": "signed"}, "agreement is to be one of none, active,"),
        ({"sw_freeze": True}, "sw_freeze is to be one of on, off, or null"),
        ({"sight": "none "}, "sight is to be a code such as none,"),
        ({"authority": ""}, "authority is to be a code such as self,"),
        ({"action": "delete"}, "action is to be one of forward,"),
    ],
)
def test_what_is_no_fact_is_refused_by_name(given: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        read_facts(given)


def test_all_that_is_wrong_is_said_at_once_and_no_value_is_quoted() -> None:
    with pytest.raises(ValueError, match="colour is not a fact; deceased is to be") as refusal:
        read_facts({"colour": "red", "deceased": "since May"})
    assert "May" not in str(refusal.value)
    assert "red" not in str(refusal.value)


def test_a_code_that_an_open_list_lacks_is_taken_and_remarked_upon() -> None:
    read = read_facts({"sight": "seen-twice", "recipient_role": "hr"})
    assert read.facts.sight == "seen-twice"
    assert read.remarks == (
        "sight has a code that is not listed: none, pending, declined, agrees, objects",
    )


def test_a_purpose_that_no_list_has_needs_no_remark_for_a_rule_refuses_it() -> None:
    assert read_facts({"purpose": "marketing"}).remarks == ()


def test_a_proposal_is_no_agreement() -> None:
    assert read_facts({"agreement": "proposed"}).facts.agreement is AgreementFact.NONE


def test_a_label_may_be_spelt_with_its_system() -> None:
    label = "http://terminology.hl7.org/CodeSystem/v3-ActCode#PSY"
    assert read_facts({"labels": [label]}).facts.labels == (label,)
