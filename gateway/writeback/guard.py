"""The write guard: objection, content, sender and switch to what is done about a GP record.

What enters: one Proposal, all of it values. What leaves: one Ruling. No code of a third party
passes but by row 4. Source: the write restriction's table, rows 1 to 11; the first that
matches wins. A document that stands in for codes is put to the table again, as a document, so
that codes never open what a document alone would find shut.

The sharing rules are asked twice, and feed this: what they say of write_back can only close
row 4, and never stops the document; what they say of write_document stops only the document.

Choices where the sources are silent:

    a  The switch of one capability closes that one; GP Connect off as a whole closes every GP
       Connect route and leaves the fallback (`has_workflow` false).
    b  A 20010 is OFF, reason unknown: practice and supplier cannot be told apart.
    c  The switch stands for each kind of sender alone; nobody's default is ON.
    d  Whether occupational health may use GP Connect at all is the installation's word: it is in
       `has_workflow`; without it, the document takes the fallback.
    e  Codes written out as text in a document are text, not entries: they pass.
    f  A practice that rejects at review says nothing: no ruling ever claims "in the record".
    g  What is marked confidential is not sent at all: no redacted notice (Send Document 2.0.2).
    h  A dissent from sharing lets routine letters through (ITK FHIR-PDS-09) and holds others; a
       wish that this outcome is not sent wins over it.
    i  The birth date in a mailbox name is YYYYMMDD: see `interactions`.
    j  A closed capability is ACCESS_DENIED, a missing agreement NO_ORGANISATION_CONSENT.
    k  A practice's own codes with a letter are row 3, and its own letter needs no agreement.
    l  Row 5 holds too where the switch is on and a sharing rule says no to the codes.
    m  Row 9 asks of a document only; a request to act passes to a person by row 10.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gateway.writeback.allowed import SenderCategory, is_allowed
from gateway.writeback.learned import Position
from gateway.writeback.proposal import WITHOUT_CODES, Objection, Payload, Proposal, RuleEffect
from gateway.writeback.ruling import (
    Effect,
    RecipientType,
    Route,
    Ruling,
    SpineCode,
    WhyKept,
)

P = Payload
_OWN = frozenset({SenderCategory.PRACTICE_ITSELF})
_THIRD = frozenset(SenderCategory) - _OWN
_ANYONE = frozenset(SenderCategory)
_PHARMACY = frozenset({SenderCategory.COMMUNITY_PHARMACY})
_CODES = frozenset({P.CODED, P.DOCUMENT_WITH_CODES, P.ACTION_WITH_CODES})
_MIXED = _CODES - {P.CODED}
_ANYTHING = frozenset(Payload)
_DOCUMENT = frozenset({P.DOCUMENT})
_NO_OBJECTION = frozenset({Objection.NONE})
_DISSENT = frozenset({Objection.RECORD_DISSENT})
_OPEN = _NO_OBJECTION | _DISSENT


def _always(_: Proposal) -> bool:
    return True


def _is_approved(proposal: Proposal) -> bool:
    return is_allowed(proposal.sender, proposal.service)


def _may_write(proposal: Proposal) -> bool:
    is_on = proposal.switch is Position.ON
    return _is_approved(proposal) and is_on and proposal.write_back.is_permit


def _may_share(proposal: Proposal) -> bool:
    is_own = proposal.sender in _OWN
    return (is_own or proposal.has_agreement) and not proposal.is_employer_facing


def _withhold(_: Proposal) -> Ruling:
    return Ruling(
        row=1,
        effect=Effect.BLOCK,
        code="WITHHELD_BY_PATIENT",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
        status=403,
        text_inside="The person asked that this outcome does not go to the practice, or it is"
        " marked confidential. Nothing was sent, and no notice of it.",
        text_outside="There is no patient consent to send this to the practice.",
    )


def _protect(_: Proposal) -> Ruling:
    return Ruling(
        row=2,
        effect=Effect.HOLD,
        needs_person=True,
        code="SENSITIVE_RECORD",
        spine_code=SpineCode.PATIENT_NOT_FOUND,
        status=404,
        text_inside="The person's record is marked sensitive. Handle this by hand; tell nobody"
        " outside that it is marked.",
        text_outside="The patient was not found.",
    )


def _leave_alone(_: Proposal) -> Ruling:
    return Ruling(
        row=3,
        effect=Effect.ALLOW,
        code="OWN_RECORD",
        text_inside="The practice writes its own record: not a third party's entry.",
        text_outside="The practice writes its own record.",
    )


def _write_codes(_: Proposal) -> Ruling:
    return Ruling(
        row=4,
        effect=Effect.ALLOW,
        route=Route.UPDATE_RECORD,
        recipient_type=RecipientType.FI,
        code="AWAITING_PRACTICE_REVIEW",
        text_inside="Sent as codes by Update Record; the practice reviews them.",
        text_outside="Sent to the practice, and awaiting its review.",
    )


_DISABLED = "The Update Record capability is disabled at this practice."
_NOT_APPROVED = "The sender or service is not approved for coded entry."


def _switched_off(proposal: Proposal) -> Ruling:
    is_ruled_out = proposal.switch is Position.ON
    is_off = proposal.switch is Position.OFF
    why = WhyKept.SWITCHED_OFF if is_off else WhyKept.SWITCH_UNKNOWN
    return _in_place_of_codes(
        proposal,
        row=5,
        why=WhyKept.RULED_OUT if is_ruled_out else why,
        code=proposal.write_back.code if is_ruled_out else "UPDATE_RECORD_SWITCHED_OFF",
        told="The sharing rules allow no coded entry here." if is_ruled_out else _DISABLED,
    )


def _not_approved(proposal: Proposal) -> Ruling:
    if proposal.is_strict or not proposal.is_readable:
        why = "asked for codes or nothing" if proposal.is_strict else "sent nothing readable"
        return Ruling(
            row=6,
            effect=Effect.REJECT,
            code="CODED_ENTRY_NOT_APPROVED",
            spine_code=SpineCode.ACCESS_DENIED,
            status=403,
            text_inside=f"{_NOT_APPROVED} It {why}, so no document can take its place.",
            text_outside=f"{_NOT_APPROVED} Send a document that a person can read, without"
            " Prefer: handling=strict.",
        )
    return _in_place_of_codes(
        proposal,
        row=6,
        why=WhyKept.NOT_APPROVED,
        code="CODED_ENTRY_NOT_APPROVED",
        told=_NOT_APPROVED,
    )


def _strip(proposal: Proposal) -> Ruling:
    return _in_place_of_codes(
        proposal,
        row=11,
        why=WhyKept.TEXT_ONLY,
        code="CODES_WRITTEN_AS_TEXT",
        told="The codes in it are not entered; it is sent as text.",
    )


def _in_place_of_codes(
    proposal: Proposal, *, row: int, why: WhyKept, code: str, told: str
) -> Ruling:
    """Rule on the document that takes the place of the codes; say why they stay here."""
    after = rule(replace(proposal, payload=WITHOUT_CODES[proposal.payload]))
    ruling = replace(after, row=row, then=after.row, keeps_coded=why)
    if after.effect is not Effect.ALLOW:
        return ruling
    return replace(
        ruling,
        effect=Effect.DOWNGRADE,
        code=code,
        spine_code=SpineCode.ACCESS_DENIED,
        status=202,
        text_inside=f"{told} The coded original stays here, with the reason. {after.text_inside}",
        text_outside=told,
    )


def _send(proposal: Proposal, row: int) -> Ruling:
    return Ruling(
        row=row,
        effect=Effect.ALLOW,
        route=Route.SEND_DOCUMENT if proposal.has_workflow else Route.FALLBACK,
        recipient_type=RecipientType.FI,
        code="DOCUMENT_ALLOWED",
        text_inside="Sent to the practice as a document."
        + ("" if proposal.has_workflow else " It takes the fallback: GP Connect is not open."),
        text_outside="Sent to the practice as a document.",
    )


def _send_letter(proposal: Proposal) -> Ruling:
    return _unless_stopped(_send(proposal, 7), proposal)


def _send_despite_dissent(proposal: Proposal) -> Ruling:
    if proposal.is_routine:
        return _unless_stopped(_send(proposal, 8), proposal)
    return Ruling(
        row=8,
        effect=Effect.HOLD,
        needs_person=True,
        code="DISSENT_NOT_ROUTINE",
        spine_code=SpineCode.NO_PATIENT_CONSENT,
        status=202,
        text_inside="The person dissents from sharing their record, and this is not a routine"
        " letter about care that they had. Ask them.",
        text_outside="Held: a person decides.",
    )


def _refuse_document(_: Proposal) -> Ruling:
    return Ruling(
        row=9,
        effect=Effect.BLOCK,
        code="NO_SHARING_AGREEMENT",
        spine_code=SpineCode.NO_ORGANISATION_CONSENT,
        status=403,
        text_inside="No agreement of practice and sender covers this, or it was made for an"
        " employer. With the patient's explicit consent it may go as a letter.",
        text_outside="There is no sharing agreement for this with the practice.",
    )


def _ask_person(proposal: Proposal) -> Ruling:
    ruling = replace(
        _send(proposal, 10),
        recipient_type=RecipientType.FA,
        needs_person=True,
        code="FOR_ACTION",
        text_inside="Sent as a document for action. GP systems ignore that mark: reach a person"
        " at the practice too; it stays open until somebody there acknowledges it.",
        text_outside="Sent to the practice for action; open until a person acknowledges it.",
    )
    return _unless_stopped(ruling, proposal)


def _unless_stopped(ruling: Ruling, proposal: Proposal) -> Ruling:
    """Stop a document where the sharing rules do not permit write_document."""
    answer = proposal.write_document
    if answer.is_permit:
        return ruling
    is_hold = answer.effect is RuleEffect.HOLD
    return Ruling(
        row=ruling.row,
        effect=Effect.HOLD if is_hold else Effect.BLOCK,
        needs_person=is_hold,
        code=answer.code,
        spine_code=SpineCode.ACCESS_DENIED,
        status=202 if is_hold else 403,
        text_inside=f"The sharing rules do not permit the document: {answer.code}.",
        text_outside="Held: a person decides." if is_hold else "This may not be sent.",
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what it matches, and what is then done."""

    number: int
    objections: frozenset[Objection]
    payloads: frozenset[Payload]
    senders: frozenset[SenderCategory]
    condition: Callable[[Proposal], bool]
    do: Callable[[Proposal], Ruling]

    def matches(self, proposal: Proposal) -> bool:
        """Whether this row is about such a proposal."""
        return (
            proposal.objection in self.objections
            and proposal.payload in self.payloads
            and proposal.sender in self.senders
            and self.condition(proposal)
        )


def _may_not_share(proposal: Proposal) -> bool:
    return not _may_share(proposal)


_ACTION = frozenset({P.ACTION})
_CODED = frozenset({P.CODED})
# fmt: off
TABLE = (
    # no  objection                          payload    sender     and             what is done
    Row(1, frozenset({Objection.WITHHOLD}),  _ANYTHING, _ANYONE,   _always,        _withhold),
    Row(2, frozenset({Objection.SENSITIVE}), _ANYTHING, _ANYONE,   _always,        _protect),
    Row(3, _OPEN,                            _CODES,    _OWN,      _always,        _leave_alone),
    Row(4, _OPEN,                            _CODED,    _PHARMACY, _may_write,     _write_codes),
    Row(5, _OPEN,                            _CODED,    _PHARMACY, _is_approved,   _switched_off),
    Row(6, _OPEN,                            _CODED,    _THIRD,    _always,        _not_approved),
    Row(7, _NO_OBJECTION,                    _DOCUMENT, _ANYONE,   _may_share,     _send_letter),
    Row(8, _DISSENT,                         _DOCUMENT, _ANYONE,   _may_share,     _send_despite_dissent),
    Row(9, _OPEN,                            _DOCUMENT, _ANYONE,   _may_not_share, _refuse_document),
    Row(10, _OPEN,                           _ACTION,   _ANYONE,   _always,        _ask_person),
    Row(11, _OPEN,                           _MIXED,    _THIRD,    _always,        _strip),
)
# fmt: on
"""The table, whole: the first row that matches wins, and every proposal matches one."""


def rule(proposal: Proposal, table: Sequence[Row] = TABLE) -> Ruling:
    """Say what is done about one proposal: the first row that matches."""
    return next(row for row in table if row.matches(proposal)).do(proposal)
