from dataclasses import replace

import pytest

from gateway.ledger.entry import (
    AgreementRefused,
    DecisionMade,
    DeliveryRefused,
    Entry,
    IcbNoticeDrafted,
    LedgerVerified,
    PolicyChanged,
    TokenIssued,
)
from gateway.ledger.kinds import (
    AgreementChange,
    Effect,
    EntryKind,
    Interaction,
    RecallAnswer,
    Stage,
    WritebackRoute,
)
from gateway.ledger.sentence import sentence
from tests.unit.ledger.lines import ENTRIES, an_entry, changed


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.kind)
def test_every_entry_reads_as_one_sentence(entry: Entry) -> None:
    said = sentence(entry)
    assert said[0].isupper() or said.startswith((entry.actor, "north-surgery"))
    assert said.endswith(".")
    assert ". " not in said
    assert "None" not in said


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("referral.received", "Practice A81001 sent a referral through the BaRS door, and it was"),
        ("referral.rejected", "A message from A81001 through the REST door was refused: structure"),
        ("referral.closed", "The referral was closed: OUTCOME_RETURNED."),
        ("decision.made", "On arrival, sharing with RX4Y7 was permitted by rule G2 (PERMITTED)"),
        ("delivery.queued", "A delivery to RX4Y7 was queued, first due at 2026-11-22 09:03 UTC."),
        ("delivery.released", "The referral was released to RX4Y7 for attempt 1, until 2026-11-22"),
        ("delivery.delivered", "RX4Y7 took the referral in attempt 4, with HTTP status 201."),
        ("delivery.refused", "The delivery to RX4Y7 was refused by a decision of the gateway: CON"),
        ("delivery.unknown", "Attempt 2 to RX4Y7 did not succeed or its outcome is not known (no-"),
        ("delivery.dead_lettered", "The delivery to RX4Y7 was given up after attempt 3: ATTEMPTS"),
        ("delivery.replayed", "operator ordered the delivery to RX4Y7 again, due at 2026-11-22 09"),
        ("delivery.lease_lapsed", "The worker with attempt 1 to RX4Y7 did not come back by 2026-"),
        ("hold.opened", "The referral was put on hold (FACT_UNKNOWN:R30); ig-officer owns it, due"),
        ("hold.resolved", "ig-officer resolved the hold (FACT_UNKNOWN:R30): FACT_SUPPLIED."),
        ("redaction.applied", "Items were taken out before the referral goes to RX4Y7: REDACT, M"),
        ("consent.recorded", "A consent was recorded as version 1, with effect from 2026-11-01 00"),
        ("consent.superseded", "Version 2 of the consent took the place of the last, with effect"),
        ("consent.withdrawn", "The consent was withdrawn in version 3, with effect from 2026-12-"),
        ("consent.error", "The consent was called an error in version 2, with effect from 2026-"),
        *(
            (
                f"agreement.{done}",
                f"The direct agreement dsa-north-oh of A81001 with RX4Y7 was {done} {by}",
            )
            for done, by in [
                ("proposed", "by the practice, with effect from 2026-11-22 10:10 UTC."),
                ("signed", "by the practice, with effect from 2026-12-01 00:00 UTC."),
                ("widened", "by the practice, with"),
                ("renewed", "by an operator, with"),
                ("suspended", "from a file, with"),
                ("withdrawn", "by the practice, with"),
                ("reinstated", "by an operator, with"),
                ("expired", "from a file, with"),
            ]
        ),
        (
            "agreement.refused",
            "The exclusive-secondary agreement dsa-planning.2 of B82002 with QUE was refused as a new one by rule R15 (SIGNUP_FROZEN) of policy ",
        ),
        (
            "switch.changed",
            "Switch secondary_sharing of practice A81001 was set to exclusive-withdrawn by the practice, with effect from 2026-12-01 00:00 UTC.",
        ),
        (
            "icb.notice.drafted",
            "The withdraw-secondary notice of practice A81001 to QUE was drafted.",
        ),
        ("icb.notice.sent", "The withdraw-secondary notice of practice A81001 to QUE was sent."),
        (
            "icb.notice.acknowledged",
            "The withdraw-secondary notice of practice A81001 to QUE was acknowledged.",
        ),
        (
            "icb.notice.reinstated",
            "What the withdraw-secondary notice of practice A81001 to QUE told of was reinstated.",
        ),
        (
            "optout.loaded",
            "National opt-outs as of 2026-11-22 08:00 UTC were loaded: answers about 1200 people.",
        ),
        (
            "outage.began",
            "Destination oh-north does not answer: 5 attempts in a row, the last one ended in no-reply.",
        ),
        (
            "outage.ended",
            "Destination oh-north answers again; it had not since 2026-11-22 12:11 UTC.",
        ),
        ("directory.applied", "operator applied a directory file: 3 added, 0 changed, 0 ended."),
        ("policy.changed", "The rule table changed from none to 9c9294a5d4b5."),
        ("ledger.verified", "ig-officer checked the ledger at 20 entries and found nothing wrong."),
        (
            "decision.previewed",
            "north-surgery asked for a preview as of 2026-11-01 00:00 UTC: sharing with RX4Y7 would have been held by rule R33 (CONSENT_DOES_NOT_COVER) of policy ",
        ),
        ("hold.assigned", "ig-officer gave the hold (FACT_UNKNOWN:R30) to caldicott-guardian, due"),
        ("hold.overdue", "The hold (FACT_UNKNOWN:R30) was due by 2026-11-22 11:04 UTC, and caldi"),
        (
            "flag.changed",
            "A flag about the person changed, read from gp-record as of 2026-11-20 00:00 UTC; which flag it is, is sealed.",
        ),
        ("delivery.expired", "Attempt 2 to RX4Y7 was broken off before anything was sent: it had"),
        ("recall.refused", "RX4Y7 would not take the recall in attempt 2: HTTP_404."),
        ("recall.overdue", "RX4Y7 has not answered the recall by 2026-11-22 11:13 UTC; somebody"),
        ("report.sight.offered", "The person was offered to see the report for A81001 before it"),
        ("report.sight.seen", "The person has seen the report for A81001."),
        ("report.sight.agreed", "The person agreed that the report for A81001 goes there."),
        ("report.sight.objected", "The person objected to the report for A81001, which goes no f"),
        ("report.sight.released", "The report for A81001 was sent on its way."),
        ("writeback.refused", "The outcome could not go to practice A81001 as an update of the r"),
        ("writeback.fallback", "The outcome goes to practice A81001 as a document instead, becau"),
        ("writeback.done", "The system of practice A81001 took the outcome as a document; whether"),
        ("breakglass.used", "gp-one went past a refusal in an emergency, for direct care (VITAL_I"),
        ("record.read", "north-surgery was shown 1 record of one person at A81001, in one version"),
        (
            "subject.erased",
            "What was kept of one person at B82002 was erased for good, 4 rows with",
        ),
        ("key.destroyed", "The key kek-2025 was destroyed; nothing is locked with it any more."),
        ("checkpoint.published", "The 2026 log at 64 entries was signed with key 8f0e4c1a, and c"),
        (
            "checkpoint.cosigned",
            "Witness witness.example/dpo confirmed that the 2026 log at 64 entries continues all that it saw before.",
        ),
        (
            "checkpoint.refused",
            "Witness witness.example/icb would not confirm the 2026 log at 64 entries: HTTP_409.",
        ),
        ("chain.verify.failed", "A check of the 2025 log at 812 entries found it broken: leaf_ha"),
        ("token.issued", "north-surgery of A81001 was given a token for system/ServiceRequest.cu,"),
        ("token.refused", "A request for a token by unknown was refused: invalid_client."),
        (
            "access.refused",
            "other-surgery of B82002 was refused what needs system/AuditEvent.rs: scope-missing.",
        ),
    ],
)
def test_a_kind_has_its_own_sentence(kind: str, said: str) -> None:
    assert sentence(an_entry(EntryKind(kind))).startswith(said)


@pytest.mark.parametrize(
    ("effect", "word"),
    [(Effect.PERMIT, "permitted"), (Effect.HOLD, "held"), (Effect.DENY, "denied")],
)
@pytest.mark.parametrize(
    ("stage", "when"),
    [
        (Stage.ACCEPT, "On arrival"),
        (Stage.RELEASE, "Before release"),
        (Stage.REPLAY, "Before replay"),
        (Stage.READ, "Before reading"),
        (Stage.WRITE_BACK, "Before anything goes to the practice"),
    ],
)
def test_a_decision_says_when_and_what(effect: Effect, word: str, stage: Stage, when: str) -> None:
    release = next(e for e in ENTRIES if isinstance(e, DecisionMade) and e.delivery is not None)
    said = sentence(replace(release, effect=effect, stage=stage))
    assert said.startswith(f"{when}, sharing with RX4Y7 was {word} by rule G2")


def test_a_decision_on_nobody_in_particular_names_nobody() -> None:
    denied = next(e for e in ENTRIES if isinstance(e, DecisionMade) and e.recipient is None)
    assert sentence(denied) == (
        "On arrival, sharing was denied by rule R30 (NO_PATIENT_CONSENT) of policy 2026-11."
    )


def test_a_refusal_by_the_recipient_is_told_from_one_of_our_own() -> None:
    refused = an_entry(EntryKind.DELIVERY_REFUSED)
    assert isinstance(refused, DeliveryRefused)
    assert " by RX4Y7: " in sentence(replace(refused, decision=None))
    assert " by a decision of the gateway: " in sentence(refused)


def test_a_damaged_ledger_a_second_policy_and_a_token_for_nothing_are_said_plainly() -> None:
    verified = an_entry(EntryKind.LEDGER_VERIFIED)
    policy = an_entry(EntryKind.POLICY_CHANGED)
    token = an_entry(EntryKind.TOKEN_ISSUED)
    assert isinstance(verified, LedgerVerified)
    assert isinstance(policy, PolicyChanged)
    assert isinstance(token, TokenIssued)
    assert sentence(replace(verified, ok=False)).endswith("found damage.")
    assert "from abababababab to" in sentence(replace(policy, old_sha256="ab" * 32))
    assert sentence(replace(token, scopes=())).endswith("a token for nothing.")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (AgreementChange.NEW, "refused as a new one by rule"),
        (AgreementChange.WIDENED, "refused as a wider one by rule"),
        (AgreementChange.RENEWAL, "refused its renewal by rule"),
    ],
)
def test_a_refused_agreement_says_what_was_asked(change: AgreementChange, said: str) -> None:
    refused = an_entry(EntryKind.AGREEMENT_REFUSED)
    assert isinstance(refused, AgreementRefused)
    assert said in sentence(replace(refused, change=change))


def test_a_notice_of_a_practice_whose_icb_is_not_known_says_so_plainly() -> None:
    nowhere = next(e for e in ENTRIES if isinstance(e, IcbNoticeDrafted) and e.recipient is None)
    assert sentence(nowhere) == "The freeze-new notice of practice B82002 to its ICB was drafted."


def said_of(kind: EntryKind) -> list[str]:
    return [sentence(entry) for entry in ENTRIES if entry.kind is kind]


def test_a_preview_on_nobody_in_particular_names_nobody() -> None:
    assert said_of(EntryKind.DECISION_PREVIEWED)[1] == (
        "ig-officer asked for a preview as of 2026-11-22 11:00 UTC: "
        "sharing would have been denied by rule R00 (NO_GROUND) of policy 2026-11."
    )


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (RecallAnswer.STOPPED, "it has stopped."),
        (RecallAnswer.RETURNED, "it has given back what it had."),
        (RecallAnswer.RETAINED, "it keeps what it had, on a legal ground of its own."),
    ],
)
def test_an_answered_recall_says_what_the_recipient_did(answer: RecallAnswer, said: str) -> None:
    acknowledged = changed(an_entry(EntryKind.RECALL_ACKNOWLEDGED), answer=answer)
    assert sentence(acknowledged) == f"RX4Y7 answered the recall: {said}"


@pytest.mark.parametrize(
    ("route", "how"),
    [
        (WritebackRoute.UPDATE_RECORD, "as an update of the record"),
        (WritebackRoute.DOCUMENT, "as a document"),
        (WritebackRoute.LETTER, "as a letter"),
    ],
)
def test_an_outcome_says_how_it_goes_to_the_practice(route: WritebackRoute, how: str) -> None:
    fallback = changed(an_entry(EntryKind.WRITEBACK_FALLBACK), route=route)
    assert f" to practice A81001 {how} instead, because" in sentence(fallback)


@pytest.mark.parametrize(
    ("route", "how"),
    [
        (WritebackRoute.UPDATE_RECORD, "as coded entries"),
        (WritebackRoute.DOCUMENT, "as a document"),
        (WritebackRoute.LETTER, "as a letter"),
    ],
)
def test_a_letter_that_waits_says_how_it_will_go_and_what_let_it(
    route: WritebackRoute, how: str
) -> None:
    queued = changed(an_entry(EntryKind.LETTER_QUEUED), route=route)
    assert sentence(queued) == (
        f"An outcome was queued to A81001 {how}, by row 7 of the write guard."
    )


def test_an_answer_to_a_letter_is_said_by_its_code() -> None:
    assert said_of(EntryKind.LETTER_ANSWERED) == [
        "Of the letter to A81001 it was answered: 20013.",
        "Of the letter to A81001 it was answered: RETURNED_BY_MESH.14.",
    ]


def test_a_reminder_says_who_is_to_act_by_when_and_that_it_was_seen_to() -> None:
    assert said_of(EntryKind.REMINDER_OPENED) == [
        "By 2026-11-24 09:00 UTC operator is to act: LETTER_UNANSWERED."
    ]
    assert said_of(EntryKind.REMINDER_CLOSED) == [
        "What waited (LETTER_UNANSWERED) was seen to: ANSWERED."
    ]


def test_what_was_learned_of_a_practice_says_how_of_whom_and_until_when() -> None:
    assert said_of(EntryKind.CODING_LEARNED) == [
        (
            "By an answer (20010) practice A81001 takes no coded entries from "
            "community-pharmacy; that counts until 2026-12-22 11:30 UTC."
        ),
        (
            "By a look-up (17) practice B82002 takes no coded entries from "
            "other; that counts until 2026-12-22 11:30 UTC."
        ),
    ]


def test_a_legal_basis_says_whose_sharing_it_is_and_who_approved() -> None:
    assert said_of(EntryKind.LEGAL_AUTHORISED) == [
        (
            "Sharing by practice B82002 on the legal basis s251-2026-7 was approved by "
            "caldicott-guardian, 00000000-0000-4000-8000-000000000031."
        ),
        (
            "Sharing on the legal basis 00000000-0000-4000-8000-000000000032 was approved by "
            "caldicott-guardian, ig-officer."
        ),
    ]


@pytest.mark.parametrize(
    ("interaction", "how"),
    [
        (Interaction.READ, "as they stood"),
        (Interaction.VREAD, "in one version"),
        (Interaction.HISTORY, "in all versions"),
        (Interaction.SEARCH, "through a search"),
    ],
)
def test_a_reading_says_how_much_of_whom_and_in_which_way(
    interaction: Interaction, how: str
) -> None:
    read = changed(an_entry(EntryKind.RECORD_READ), interaction=interaction, size=3)
    assert sentence(read) == f"north-surgery was shown 3 records of one person at A81001, {how}."


def test_a_reading_that_found_nobody_says_so() -> None:
    assert said_of(EntryKind.RECORD_READ)[1] == (
        "other-surgery was shown no records of a person not known at B82002, through a search."
    )


def test_a_reading_of_the_ledger_says_what_was_asked_about() -> None:
    assert said_of(EntryKind.AUDIT_READ) == [
        "ig-officer was shown 12 ledger entries, having asked about one person at practice B82002.",
        "ig-officer was shown 1 ledger entry, having asked about practice B82002.",
        "auditor was shown no ledger entries, having asked about everybody.",
    ]
    of_one = changed(an_entry(EntryKind.AUDIT_READ), practice=None)
    assert sentence(of_one).endswith("having asked about one person.")


def test_an_export_says_what_went_out_and_whether_it_was_opened() -> None:
    what = [
        "the whole of the 2026 log, which had 109 entries then, without sealed details",
        "one entry of the 2026 log, which had 110 entries then, without sealed details",
        (
            "every entry about practice B82002 of the 2026 log, "
            "which had 111 entries then, without sealed details"
        ),
        (
            "every entry about one person at practice A81001 of the 2026 log, "
            "which had 112 entries then, with sealed details"
        ),
    ]
    assert said_of(EntryKind.AUDIT_EXPORTED) == [f"ig-officer was given {each}." for each in what]


def test_what_was_destroyed_when_its_time_was_over_is_said() -> None:
    assert said_of(EntryKind.RETENTION_PURGED) == [
        (
            "Records of the kind access-token from before 2026-10-22 00:00 UTC were destroyed "
            "because their time was over: 41."
        ),
        (
            "The 2018 log, 90001 entries, was destroyed because its time was over; "
            "its last signed state is kept."
        ),
    ]


def test_a_change_of_the_signing_key_names_both_keys_by_their_hash() -> None:
    assert said_of(EntryKind.KEY_ROTATED) == [
        "The key that signs the ledger changed from none to 227ba5f2c6c9.",
        "The key that signs the ledger changed from 227ba5f2c6c9 to 08f225fe08e9.",
    ]


def test_a_wrong_clock_says_which_way_and_how_far() -> None:
    assert said_of(EntryKind.CLOCK_DRIFT) == [
        "A clock was 2400 milliseconds behind when held against database.",
        "A clock was 0 milliseconds ahead when held against database.",
    ]


def test_a_change_of_assurance_says_until_when_it_now_is() -> None:
    assert said_of(EntryKind.ASSURANCE_CHANGED) == [
        (
            "What is known of the assurance of RX4Y7 was changed from a file: "
            "it is assured until 2027-02-28."
        ),
        (
            "What is known of the assurance of RX4Y7 was changed from a file: "
            "it is not known to be assured."
        ),
    ]


def test_an_acknowledged_withdrawal_says_of_what_it_was_and_what_became_of_all_it_covers() -> None:
    until = "at 2026-11-22 12:00 UTC leaves from here on:"
    assert said_of(EntryKind.WITHDRAWAL_ACKNOWLEDGED) == [
        (
            "Nothing covered by the withdrawal of consent 00000000-0000-4000-8000-000000000011 "
            f"{until} 1 delivery stopped, 0 delivered before, 0 with no answer."
        ),
        (
            f"Nothing covered by the withdrawal of agreement dsa-south-oh {until} "
            "no deliveries stopped, 2 delivered before, 1 with no answer."
        ),
        (
            f"Nothing covered by the withdrawal by switch update_record {until} "
            "no deliveries stopped, 0 delivered before, 0 with no answer."
        ),
        (
            f"Nothing covered by the withdrawal of the assurance of RX4Y7 {until} "
            "12 deliveries stopped, 3 delivered before, 1 with no answer."
        ),
    ]
