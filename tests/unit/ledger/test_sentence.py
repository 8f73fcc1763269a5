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
from gateway.ledger.kinds import AgreementChange, Effect, EntryKind, Stage
from gateway.ledger.sentence import sentence
from tests.unit.ledger.lines import ENTRIES, an_entry


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
        ("directory.applied", "operator applied a directory file: 3 added, 0 changed, 0 ended."),
        ("policy.changed", "The rule table changed from none to 9c9294a5d4b5."),
        ("ledger.verified", "ig-officer checked the ledger at 20 entries and found nothing wrong."),
        ("token.issued", "north-surgery of A81001 was given a token for system/ServiceRequest.cu,"),
        ("token.refused", "A request for a token by unknown was refused: invalid_client."),
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
