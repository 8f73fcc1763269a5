"""Copies of reports as JSON: for the provider that wrote them, and for officers.

What enters: how a copy stands. What leaves: a tree of plain JSON values. Neither the text nor the
person's words are in it, nor why the sharing rules hold it, unless an officer asks.
"""

from collections.abc import Sequence

from gateway.consent.decide import Verdict
from gateway.errors import Fault
from gateway.referral.identifiers import ReferralReference
from gateway.referral.json import Json, JsonObject
from gateway.referral.report import ReportCopy
from gateway.referral.report_copy import FiledCopy, ReportEvent
from gateway.writeback.report_gate import Gate


def filed_view(filed: FiledCopy) -> JsonObject:
    """Show a copy as it is filed."""
    copy = filed.copy
    shown: JsonObject = {
        "id": filed.id,
        "task": filed.delivery,
        "outcome": filed.outcome,
        "recipient": filed.recipient.value,
        "organisation": filed.organisation,
        "kind": copy.kind.value,
        "version": copy.version,
        "state": copy.state.value,
        "text_sha256": filed.text_sha256,
        "is_complete": filed.is_complete,
        "third_party": copy.third_party,
        "would_harm": copy.would_harm,
        "has_statement": copy.has_statement,
        "created_at": filed.created_at.isoformat(),
        **_days(copy),
    }
    more = {"answer": copy.answer, "route": filed.route, "decision": filed.decision}
    return shown | {name: str(value) for name, value in more.items() if value is not None}


def gate_view(gate: Gate) -> JsonObject:
    """Show what may be done with a copy now."""
    shown: JsonObject = {
        "step": gate.step.value,
        "why": gate.why.value,
        "reason": gate.reason,
        "remedy": gate.remedy,
    }
    return shown | ({"until": gate.until.isoformat()} if gate.until else {})


def standing_view(
    filed: FiledCopy, reference: ReferralReference, gate: Gate, left_out: Sequence[Fault]
) -> JsonObject:
    """Show a copy, what may be done with it, and what its provider has to mend in the report."""
    mend: list[Json] = [{"at": each.expression, "why": each.diagnostics} for each in left_out]
    return filed_view(filed) | {"referral": reference, "next": gate_view(gate), "to_mend": mend}


def verdict_view(verdict: Verdict) -> JsonObject:
    """Show an officer what the sharing rules say, and what mends it."""
    reason = verdict.primary
    return {
        "effect": verdict.effect.value,
        "rule": verdict.primary_rule,
        "code": verdict.code,
        "remedy": reason.remedy if reason else None,
    }


def event_view(event: ReportEvent) -> JsonObject:
    """Show something that was done with a copy."""
    return {
        "seq": event.seq,
        "act": event.act.value,
        "version": event.version,
        "at": event.at.isoformat(),
        "by": event.by,
        "code": event.code,
    }


def _days(copy: ReportCopy) -> JsonObject:
    days = {
        "offered_on": copy.offered_on,
        "access_asked_on": copy.access_asked_on,
        "shown_on": copy.shown_on,
        "answered_on": copy.answered_on,
        "supplied_on": copy.supplied_on,
        "kept_until": copy.kept_until,
    }
    return {name: day.isoformat() for name, day in days.items() if day is not None}
