"""What people can do that changes a sharing decision: one row a step.

What enters: nothing. What leaves: MENDS, steps that may lead to a PERMIT; ENDS, what may end
one; FIXED, the facts that nobody here may change, each with why. `flips` tries the steps.

A row reads: where it can be taken (known to hold; `always` everywhere), what it makes of the
facts, who takes it, and how. Conditions are written as in `table`. A step is one act of one
person, however many facts it moves: a new consent names its recipient, its purpose and its
period at once. The rows stand in the order in which a person would be told of them.

No step says that it will be taken, or ought to be: an opt-out is the patient's alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias, assert_never

from gateway.consent.condition import (
    AllOf,
    Beyond,
    Condition,
    IsTrue,
    Not,
    NotBelow,
    OneOf,
    read_condition,
)
from gateway.consent.facts import VOCABULARY, Codes, Count, Facts, Kind, Labels, Truth

Value: TypeAlias = bool | int | str | tuple[str, ...] | None


class Who(StrEnum):
    """Who can take a step. TIME: it comes by itself."""

    PATIENT = "patient"
    PRACTICE = "practice"
    PROVIDER = "provider"
    COMMISSIONER = "commissioner"
    OFFICERS = "data protection officer and Caldicott Guardian"
    HEALTH_RESEARCH_AUTHORITY = "Health Research Authority"
    OPERATOR = "operator"
    TIME = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One fact, as it is and as it would be. None is unknown."""

    fact: str
    before: Value
    after: Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One act: who, how, and what it would change of some facts; never nothing."""

    who: Who
    how: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """One row of a table of steps."""

    where: Condition
    becomes: Condition
    who: Who
    how: str


_MENDS = """
consent = proposed                    | consent = active | patient | The patient answers, and agrees.
consent = active                      | consent_recipient AND consent_purpose | patient | The patient agrees to this recipient and this purpose.
consent = active                      | consent_in_period | patient | The patient agrees for a period that runs now.
consent = active                      | consent_evidence | practice | The practice completes who gave the consent, and when.
authority = none                      | authority = proxy | practice | The practice shows by what right the signer consents for the patient.
always                                | consent = active AND consent_recipient AND consent_purpose AND consent_in_period AND consent_evidence AND authority = self AND specific_consent | patient | The patient gives a new consent that names this recipient and this purpose.
always                                | NOT some labels not in consent_labels | patient | The patient agrees that the labelled parts may be shared with this recipient.
agreement in suspended, withdrawn     | agreement = active | practice | The practice reinstates its agreement with this recipient, as far as the rules on signing permit.
sw_freeze = on                        | agreement = active AND agreement_covers | practice | The practice lifts its freeze on new agreements, then signs one with this recipient that covers the purpose, as far as the rules on signing permit.
agreement = active                    | agreement_covers | practice | The practice widens its agreement with this recipient to the purpose, as far as the rules on signing permit.
always                                | agreement = active AND agreement_covers | practice | The practice signs an agreement with this recipient that covers the purpose, as far as the rules on signing permit.
always                                | sw_secondary = on | practice | The practice switches sharing for secondary purposes on.
always                                | sw_update_record = on | practice | The practice lets others write codes into its records again.
always                                | sw_send_document = on | practice | The practice takes documents by this route again.
always                                | sw_freeze = off | practice | The practice lifts its freeze on new agreements.
always                                | dpia | practice | The practice puts the data protection impact assessment on file.
always                                | sc_formal | commissioner | The commissioner makes the proposal of shared care formal.
always                                | sc_resourced | commissioner | The commissioner says who pays for the shared care.
always                                | sc_support | provider | The specialist confirms support.
always                                | sc_formal AND sc_resourced AND sc_support | commissioner | The commissioner makes a formal proposal that says who pays and which specialist supports it.
always                                | sc_capacity | practice | The practice finds the capacity for the shared care.
always                                | recipient_known | operator | The operator adds the service and its provider to the directory.
always                                | recipient_assured | provider | The provider renews its assurance, and the directory shows it.
always                                | recipient_accepting | provider | The service takes referrals again.
always                                | funded | commissioner | A commissioner is named who pays.
always                                | legal_authorised | data protection officer and Caldicott Guardian | Both authorise the legal duty or power that is claimed.
action = extract                      | anonymised | practice | Only anonymised data are extracted.
always                                | s251 | Health Research Authority | Section 251 support is given for this use.
reason_hit                            | NOT reason_hit | practice | The clinician gives a reason that can be sent without what must be withheld.
sealed                                | NOT sealed | practice | The practice, with the patient, lifts the seal from the record.
third_party                           | NOT third_party | practice | The clinician removes what is about the third person.
always                                | freetext_ok | practice | A clinician reviews the text and the attachments.
always                                | report = functional | practice | The clinician writes a functional report, and that alone is released.
always                                | sight = agrees | patient | The employee sees the report and agrees to its release.
sight = none                          | sight = declined | patient | The employee is offered the report, and does not wish to see it.
report = amra AND sight = pending     | sight_days >= 21 | time | The 21 days pass that the Access to Medical Reports Act 1988 gives the employee.
payload_from_record                   | NOT payload_from_record | practice | The referral is sent again without data of the GP record.
always                                | fresh | operator | The facts are read again.
dissent = before-consent AND class = explicit | dissent = none | practice | The practice confirms with the patient that the newer consent counts, and records it.
type1 AND specific_consent            | NOT type1 | practice | The practice confirms with the patient that the consent to this use counts, and records it.
dissent in before-consent, after-consent | dissent = none | patient | The patient takes the objection back.
type1                                 | NOT type1 | patient | The patient takes the Type 1 opt-out back.
ndoo                                  | NOT ndoo | patient | The patient takes the national data opt-out back.
"""

_ENDS = """
always | consent = withdrawn             | patient | The patient withdraws the consent.
always | NOT specific_consent            | patient | The patient withdraws the consent to this very use.
always | dissent = after-consent         | patient | The patient objects.
always | type1                           | patient | The patient registers a Type 1 opt-out with the practice.
always | ndoo                            | patient | The patient registers a national data opt-out.
always | sight = objects                 | patient | The employee sees the report and objects.
always | sight = pending                 | patient | The employee asks to see the report first.
always | NOT consent_in_period           | time | The period of the consent ends.
always | consent = entered-in-error      | practice | The consent turns out to be recorded in error.
always | agreement = suspended           | practice | The practice suspends the agreement.
always | agreement = withdrawn           | practice | The practice withdraws from the agreement.
always | agreement = expired             | time | The agreement expires.
always | NOT agreement_covers            | practice | The agreement is narrowed, and leaves out the purpose.
always | sw_secondary = off              | practice | The practice switches sharing for secondary purposes off.
always | sw_secondary = exclusive-withdrawn | practice | The practice withdraws sharing that is for secondary purposes only.
always | sw_update_record = off          | practice | The practice lets nobody write codes into its records.
always | sw_send_document = off          | practice | The practice takes no documents by this route.
always | sw_freeze = on                  | practice | The practice freezes new agreements.
always | NOT dpia                        | practice | The impact assessment is taken off file.
always | NOT recipient_assured           | provider | The provider's assurance lapses.
always | NOT recipient_accepting         | provider | The service takes no more referrals.
always | NOT recipient_known             | operator | The service or its provider is taken off the directory.
always | NOT funded                      | commissioner | The commissioner no longer pays for this.
always | NOT sc_formal                   | commissioner | The proposal of shared care is no longer formal.
always | NOT sc_resourced                | commissioner | Nobody pays for the shared care any longer.
always | NOT sc_support                  | provider | The specialist's support ends.
always | NOT sc_capacity                 | practice | The practice has no more capacity.
always | NOT legal_authorised            | data protection officer and Caldicott Guardian | The authorisation is taken back.
always | NOT s251                        | Health Research Authority | Section 251 support ends.
always | NOT anonymised                  | practice | The data are no longer anonymised.
always | third_party                     | practice | A review finds something about a third person.
always | NOT freetext_ok                 | practice | Text or attachments are added that nobody has reviewed.
always | NOT fresh                       | time | The facts grow older than is allowed.
"""

_FIXED = """
action               | Another act is another question.
purpose              | Another purpose is another question, with another consent.
registered           | Only the practice where the patient is registered may send.
deceased             | A referral is for the living; the Access to Health Records Act 1990 is another route.
s_flag               | The mark protects the patient; this is handled by hand.
recipient_role       | Another recipient is another question.
agreement_kind       | An agreement for something else is another agreement.
labels               | A label says what the data are.
legal_restricted     | The law restricts this, whoever agrees.
employed             | Whether the person has a job is a condition of the service.
absence_ok           | How long the person is absent is a condition of the service.
prior_12m            | An earlier plan within twelve months rules out the service.
honours_type1        | The legal direction says whether opt-outs count.
agr_change           | What is proposed for signing is what is to be decided.
practice_is_employer | Who employs the person is not for the practice to say.
referral_type        | Who refers is not changed afterwards.
payload_hash_ok      | What would be sent is not what was decided on; it has to be sent again.
"""

NEVER_FOUND_OUT = frozenset({"action", "purpose", "payload_hash_ok"})
"""These are the question itself: even where they are unknown, no value is tried."""


_OF_THE_DIRECTORY = frozenset(
    {"recipient_known", "recipient_assured", "recipient_role", "recipient_accepting", "fresh"}
)


def read_steps(text: str) -> tuple[StepRow, ...]:
    """Read a table of steps.

    Raises:
        ValueError: a row is none, or makes facts so in a way that is not one way.
    """
    rows = ([cell.strip() for cell in line.split("|")] for line in text.strip().splitlines())
    return tuple(_row(*row) for row in rows)


def _row(where: str, becomes: str, who: str, how: str) -> StepRow:
    made = read_condition(becomes)
    list(_settings(made, Facts()))
    return StepRow(where=read_condition(where), becomes=made, who=Who(who), how=how)


def steps_from(rows: tuple[StepRow, ...], facts: Facts, matter: frozenset[str]) -> Iterator[Step]:
    """Give the steps that can be taken from here, with what each changes of the facts that matter."""
    for row in rows:
        changes = tuple(
            Change(fact=fact, before=getattr(facts, fact), after=value)
            for fact, value in _settings(row.becomes, facts)
            if fact in matter and getattr(facts, fact) != value
        )
        if changes and row.where.holds(facts):
            yield Step(who=row.who, how=row.how, changes=changes)


def findings_from(facts: Facts) -> Iterator[Step]:
    """Give a step for each value that an unknown fact may turn out to have."""
    for fact, kind in VOCABULARY.items():
        if fact in NEVER_FOUND_OUT or getattr(facts, fact) is not None:
            continue
        who = Who.OPERATOR if fact in _OF_THE_DIRECTORY else Who.PRACTICE
        for value in _possible(kind):
            change = Change(fact=fact, before=None, after=value)
            yield Step(
                who=who, how=f"{fact} is found out, and is {spell(value)}.", changes=(change,)
            )


def spell(value: Value) -> str:
    """Spell a fact's value for a person: a list with commas, unknown as a word."""
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if value is None:
        return "unknown"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _possible(kind: Kind) -> tuple[Value, ...]:
    """Give what may be found out. Of counts nothing: they come by steps; of labels, that none is."""
    match kind:
        case Truth():
            return (True, False)
        case Codes(listed=listed):
            return tuple(listed)
        case Labels():
            return ((),)
        case Count():
            return ()
        case _:
            assert_never(kind)


def _settings(condition: Condition, facts: Facts) -> Iterator[tuple[str, Value]]:
    """Give the values that make a condition true: of the ways there may be, one."""
    match condition:
        case AllOf(terms):
            for term in terms:
                yield from _settings(term, facts)
        case IsTrue(fact):
            yield fact, True
        case Not(IsTrue(fact)):
            yield fact, False
        case OneOf(fact, (code,)) if isinstance(kind := VOCABULARY.get(fact), Codes):
            yield fact, kind.listed(code)
        case NotBelow(fact, least):
            yield fact, max(least, getattr(facts, fact) or 0)
        case Not(Beyond(labels, others)):
            agreed: tuple[str, ...] = getattr(facts, others) or ()
            present: tuple[str, ...] = getattr(facts, labels) or ()
            yield others, tuple(dict.fromkeys((*agreed, *present)))
        case _:
            raise ValueError(f"{condition}: a step says in one way what becomes of each fact")


MENDS = read_steps(_MENDS)
ENDS = read_steps(_ENDS)
FIXED: Mapping[str, str] = {
    fact.strip(): why.strip()
    for fact, why in (line.split("|") for line in _FIXED.strip().splitlines())
}
