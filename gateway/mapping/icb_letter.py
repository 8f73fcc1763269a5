"""The letter of a notice: one printable page of HTML that needs nothing beside it.

What enters: all that a notice tells. What leaves: the same bytes each time, no script, no link,
everything escaped. Must never: name a patient; a wording that was released is never changed,
since its hash is in the ledger: a new wording is a new template number. Source: the fields of
section 6 of the sharing rules.
"""

import hashlib
from functools import cache
from html import escape
from importlib.resources import files
from string import Template
from typing import Final, assert_never

from gateway.mapping.london import say_day, say_time
from gateway.referral.directory import Switch, SwitchValue
from gateway.referral.notices import About, AgreementAct, AgreementTold, NoticeKind, Organisation

TEMPLATE: Final = 2
"""The number of the wording of new letters. 2 asks processors to stop by what is on record."""

_KNOWN: Final = frozenset({1, TEMPLATE})

_SUBJECTS = {
    NoticeKind.WITHDRAW_SECONDARY: "Sharing of patient data for secondary purposes stops",
    NoticeKind.FREEZE_NEW: "No new data-sharing agreements until further notice",
    NoticeKind.WRITE_SWITCH: "Access of third parties to our records is switched off",
    NoticeKind.SHARED_CARE: "Informal shared care is not accepted",
    NoticeKind.REINSTATE: "Sharing that was stopped is taken up again",
}
_ACTS = {
    AgreementAct.WITHDRAWN: "withdrawn",
    AgreementAct.SUSPENDED: "suspended",
    AgreementAct.STOPPED: "stopped by a practice switch",
    AgreementAct.REINSTATED: "in force again",
}
_SWITCHES = {
    Switch.SECONDARY_SHARING: "sharing for secondary purposes",
    Switch.UPDATE_RECORD: "writing of codes into our records by third parties",
    Switch.SEND_DOCUMENT: "documents sent to us",
    Switch.ACCESS_RECORD: "reading of our records by third parties",
    Switch.NEW_AGREEMENTS: "sign-up to new data-sharing agreements",
    Switch.SHARED_CARE: "requests for shared care",
    Switch.ADVICE_AND_GUIDANCE: "advice and guidance",
}
_POSITIONS = {
    SwitchValue.ON: "on",
    SwitchValue.OFF: "off",
    SwitchValue.EXCLUSIVE_WITHDRAWN: "off where an agreement has no other purpose",
}


def letter(about: About) -> str:
    """Write the letter of a notice.

    Raises:
        ValueError: the notice is of a wording that is not known here.
    """
    if about.template not in _KNOWN:
        msg = f"the wording {about.template} of a notice is not known here"
        raise ValueError(msg)
    return _template().substitute(
        subject=escape(_SUBJECTS[about.kind]),
        practice_name=escape(about.practice.name),
        practice_ods=escape(about.practice.ods),
        addressee=_addressee(about.commissioner),
        written_on=say_day(about.written_on),
        effective_at=say_time(about.effective_at),
        body="\n".join(_body(about)),
        id=escape(about.id),
    )


def letter_sha256(text: str) -> str:
    """Return the hexadecimal SHA-256 of a letter's bytes."""
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def _template() -> Template:
    page = files("gateway.mapping").joinpath("icb_letter.html")
    return Template(page.read_text(encoding="utf-8"))


def _addressee(commissioner: Organisation | None) -> str:
    if commissioner is None:
        return '<span class="blank">&nbsp;</span>'
    return f"{escape(commissioner.name)} ({escape(commissioner.ods)})"


def _body(about: About) -> list[str]:
    match about.kind:
        case NoticeKind.WITHDRAW_SECONDARY:
            return _on_withdrawal(about)
        case NoticeKind.FREEZE_NEW:
            return _on_freeze(about)
        case NoticeKind.WRITE_SWITCH:
            return _on_access(about)
        case NoticeKind.SHARED_CARE:
            return _on_shared_care(about)
        case NoticeKind.REINSTATE:
            return _on_reinstatement(about)
        case _:
            assert_never(about.kind)


def _on_withdrawal(about: About) -> list[str]:
    parts = [
        _p("We write to tell you that this practice stops sharing patient data as listed here."),
        *_switches(about),
    ]
    if about.agreements:
        parts.append(_agreements(about.agreements))
    else:
        parts.append(_p("We hold no record of an agreement in force that this touches. If you do,"
                        " please tell us: it is included."))  # fmt: skip
    return [
        *parts,
        _h("What goes on"),
        _p("Only sharing for secondary purposes stops. Referrals and everything else that direct"
           " care needs go on, and so do collections that the law requires. Where an agreement of"
           " the kind mixed is withdrawn or suspended as a whole, direct care goes on without"
           " it."),
        _h("The processor"),
        _p(f"Please instruct {_whom(about)} to stop extracting data from our system at"
           " that time, and confirm to us in writing the date and time of the last extract."),
        *_wanted(about),
        _h("When it might be taken up again"),
        _p(f"Once we have those documents we will look at {_what(about)}. We share again"
           " only when we have said so in writing; silence, a renewal or a change of supplier"
           " reinstates nothing."),
    ]  # fmt: skip


def _whom(about: About) -> str:
    """Say who is to stop: those who are named, and whoever works where nobody is."""
    named = [each.processor is not None for each in about.agreements]
    if about.template == 1 or (named and all(named)):
        return "each processor named here"
    if any(named):
        return "each processor named here, and whoever else processes data under these agreements,"
    if named:
        return "whoever processes data under these agreements (we have no record of who does)"
    return "whoever extracts data for secondary purposes on your behalf"


def _what(about: About) -> str:
    is_listed = about.template == 1 or about.agreements
    return "each agreement by itself" if is_listed else "this again"


def _on_freeze(about: About) -> list[str]:
    return [
        _p("We write to tell you that this practice signs up to no new data-sharing agreement or"
           " platform, and agrees to no widening of one that it has."),
        _h("What goes on"),
        _p("All agreements in force go on as they are. An unchanged renewal is not a new"
           " agreement: please ask, and we will decide on each."),
        _p("Please do not enrol this practice on our behalf, and do not take silence for"
           " agreement."),
        *_wanted(about),
        _h("When it might end"),
        _p("We will look at this again once we have those documents. It ends only when we have"
           " said so in writing."),
    ]  # fmt: skip


def _on_access(about: About) -> list[str]:
    return [
        _p("We write to tell you how this practice has set its switches on access by third"
           " parties (GP Connect):"),
        *_switches(about),
        _h("What goes on"),
        _p("Direct care goes on. Whoever would have written into our records sends us a document"
           " instead; a clinician reads it and decides what is coded. Please tell the providers"
           " whom you commission."),
        _h("When it might end"),
        _p("A switch is set back only by this practice, and we will tell you in writing."),
    ]  # fmt: skip


def _on_shared_care(about: About) -> list[str]:
    return [
        _p("We write to tell you that this practice accepts no informal request to prescribe,"
           " monitor or follow up on behalf of a specialist service."),
        *_switches(about),
        _h("What we do accept"),
        _p("Shared care under a formal agreement that is resourced and names the specialist who"
           " supports it, as far as the practice has capacity. Any other request is returned to"
           " the service with this reason, and the care stays with it."),
        _p("Please tell the providers whom you commission, so that no patient waits between two"
           " services."),
        _h("When it might end"),
        _p("When we have said so in writing."),
    ]  # fmt: skip


def _on_reinstatement(about: About) -> list[str]:
    told = ", ".join(escape(each) for each in about.replies_to)
    parts = [
        _p("We write to tell you that this practice takes up again what it had stopped."),
        _p(f"It refers to our earlier notice {told}."),
        *_switches(about),
    ]
    if about.agreements:
        parts.append(_agreements(about.agreements))
    parts.append(_p("Nothing else that we stopped is taken up again by this letter."))
    return parts


def _wanted(about: About) -> list[str]:
    return [
        _h("What we ask of you"),
        _p(f"Please send us in writing, by <strong>{say_day(about.reply_by)}</strong>:"),
        (
            "<ol><li>a list of all data-sharing agreements that this practice is party to, or that"
            " were made on its behalf;</li>"
            "<li>the data protection impact assessment of each, with its date.</li></ol>"
        ),
    ]


def _switches(about: About) -> list[str]:
    if not about.switches:
        return []
    rows = (
        f"<li>{_SWITCHES[each.switch]}: <strong>{_POSITIONS[each.value]}</strong></li>"
        for each in about.switches
    )
    return [f"<ul>{''.join(rows)}</ul>"]


def _agreements(agreements: tuple[AgreementTold, ...]) -> str:
    head = ("Agreement", "With", "Legal basis", "Purposes", "Kind", "Now")
    rows = "".join(f"<tr>{''.join(_cells(each))}</tr>" for each in agreements)
    cells = "".join(f"<th>{name}</th>" for name in head)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(told: AgreementTold) -> list[str]:
    version = f", version {told.version}" if told.version else ""
    bases = [basis for basis in (told.gdpr_basis, told.confidentiality_basis) if basis]
    texts = (
        f"{told.name} ({told.id}{version})" if told.name != told.id else f"{told.id}{version}",
        (
            f"{told.counterparty.name} ({told.counterparty.ods}); processor:"
            f" {told.processor or 'not recorded'}"
        ),
        "; ".join(bases) or "not recorded",
        ", ".join(told.purposes),
        told.kind,
        _ACTS[told.act],
    )
    return [f"<td>{escape(text)}</td>" for text in texts]


def _p(text: str) -> str:
    return f"<p>{text}</p>"


def _h(text: str) -> str:
    return f"<h2>{text}</h2>"
