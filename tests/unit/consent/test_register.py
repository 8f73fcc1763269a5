"""Which Consents count, of those sent and those held; and from when a version counts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.consent.directives import NOT_UNDERSTOOD, ConsentReading, ConsentState
from gateway.consent.register import (
    HeldConsent,
    combine,
    effective_from,
    names_of,
    versions_used,
)
from gateway.referral.identifiers import ConsentId
from gateway.referral.json import Json, JsonObject
from gateway.referral.model import Identifier
from tests.builders.consent import (
    ACT_CODE,
    COVERS,
    a_consent,
    a_provision,
    an_actor,
    concept,
    of_kind,
    read,
    without,
)

RECEIVED = datetime(2026, 10, 14, 9, 0, tzinfo=UTC)
EARLIER = RECEIVED - timedelta(days=5)
LATER = RECEIVED + timedelta(minutes=1)
NAME: JsonObject = {"system": "https://gp.example/consents", "value": "C-1"}
OTHER_NAME: JsonObject = {"system": "https://gp.example/consents", "value": "C-2"}
FIRST = ConsentId("11111111-1111-4111-8111-111111111111")
SECOND = ConsentId("22222222-2222-4222-8222-222222222222")


def sent(date_time: str | None = "2026-10-01", **changes: Json) -> JsonObject:
    """A Consent of a message, called C-1."""
    named: JsonObject = {"identifier": [NAME], "dateTime": date_time, **changes}
    tree = a_consent(**named)
    return tree if date_time else without(tree, "dateTime")


def held(
    date_time: str | None = "2026-10-01",
    *,
    of: ConsentId = FIRST,
    effective_at: datetime | None = None,
    recorded_at: datetime = EARLIER,
    names: frozenset[Identifier] = frozenset(),
    earlier: tuple[JsonObject, ...] = (),
    **changes: Json,
) -> HeldConsent:
    """The same Consent in the register; it counts from its dateTime unless that is said."""
    tree = sent(date_time, **changes)
    start = effective_from(date_time, str(tree["status"]), recorded_at=recorded_at, earlier=())
    return HeldConsent(
        id=of,
        version=1,
        tree=tree,
        effective_at=effective_at or start,
        recorded_at=recorded_at,
        names=names,
        earlier=earlier,
    )


def both(one: JsonObject, other: HeldConsent) -> list[JsonObject]:
    return list(combine([one], [other], RECEIVED))


def test_consents_of_different_names_count_side_by_side() -> None:
    mine, theirs = sent(identifier=[OTHER_NAME]), held()
    assert both(mine, theirs) == [mine, theirs.tree]


def test_consents_without_a_name_count_side_by_side() -> None:
    mine, theirs = without(sent(), "identifier"), held(identifier=[])
    assert both(mine, theirs) == [mine, theirs.tree]


@pytest.mark.parametrize("missing", ["system", "value"])
def test_a_name_without_system_or_value_makes_no_two_consents_the_same(missing: str) -> None:
    half = without(NAME, missing)
    mine, theirs = sent(identifier=[half]), held(identifier=[half])
    assert both(mine, theirs) == [mine, theirs.tree]


def test_a_name_is_the_same_however_its_system_is_spelt() -> None:
    one: JsonObject = {"system": "http://fhir.nhs.uk/id/consent", "value": "1"}
    other: JsonObject = {"system": "https://fhir.nhs.uk/Id/consent", "value": "1"}
    theirs = held(identifier=[other])
    assert both(sent(identifier=[one]), theirs) == [theirs.tree]


@pytest.mark.parametrize(
    ("mine", "theirs", "counts"),
    [
        ("2026-10-02", "2026-10-01", "sent"),
        ("2026-10-01", "2026-10-02", "held"),
        ("2026-10-01", "2026-10-01", "held"),
        ("2026-10-01T10:00:00+01:00", "2026-10-01T09:00:00Z", "held"),
        ("2026-10-01T10:00:01+01:00", "2026-10-01T09:00:00Z", "sent"),
        ("2026-10-01", "2026-10-01T09:00:00Z", "both"),
        ("2026-10-01T09:00:00Z", "2026-10", "both"),
        ("2026", "2025-12-31T23:30:00Z", "both"),
        ("2026", "2025-12-31T22:30:00Z", "sent"),
        (None, "2026-10-01", "both"),
        ("yesterday", "2026-10-01", "both"),
    ],
)
def test_of_the_same_consent_the_later_counts_and_the_held_one_where_they_are_equal(
    mine: str | None, theirs: str, counts: str
) -> None:
    one, other = sent(mine), held(theirs)
    wanted = {"sent": [one], "held": [other.tree], "both": [one, other.tree]}
    assert both(one, other) == wanted[counts]


@pytest.mark.parametrize("date_time", ["2026-10-14T08:00:00Z", None, "nonsense"])
def test_what_was_recorded_after_the_message_came_counts_in_its_place(
    date_time: str | None,
) -> None:
    theirs = held("2026-01-01", recorded_at=LATER, status="inactive")
    assert both(sent(date_time), theirs) == [theirs.tree]


def test_what_was_recorded_at_the_very_instant_was_known_before() -> None:
    mine = sent("2026-10-14T08:00:00Z")
    assert both(mine, held("2026-01-01", recorded_at=RECEIVED)) == [mine]


def test_a_version_that_kept_its_date_is_as_old_as_its_recording() -> None:
    """A withdrawal of 9 October, by a system that left dateTime as it was."""
    theirs = held("2026-10-01", effective_at=EARLIER, status="inactive")
    older, newer = sent("2026-10-05"), sent("2026-10-12")
    assert both(older, theirs) == [theirs.tree]
    assert both(newer, theirs) == [newer]


def test_a_version_without_a_date_is_as_old_as_its_recording() -> None:
    theirs = held(None)
    assert both(sent("2026-10-05"), theirs) == [theirs.tree]


def test_what_was_entered_in_error_is_known_to_be_so_since_that_was_recorded() -> None:
    theirs = held("2026-10-01", status="entered-in-error")
    older, newer = sent("2026-10-05"), sent("2026-10-12")
    assert both(older, theirs) == [theirs.tree]
    assert both(newer, theirs) == [newer]


def test_a_name_of_an_earlier_version_still_makes_it_the_same() -> None:
    name = Identifier("https://gp.example/consents", "C-1")
    theirs = held("2026-10-09", names=frozenset({name}), identifier=[])
    assert both(sent(), theirs) == [theirs.tree]


def test_nothing_that_is_not_understood_is_passed_over_for_its_date() -> None:
    strange: JsonObject = {"url": "https://x.example/unless", "valueBoolean": True}
    mine, theirs = sent(modifierExtension=[strange]), held("2026-10-09")
    assert both(mine, theirs) == [mine, theirs.tree]
    newer, odd = sent("2026-10-12"), held(modifierExtension=[strange])
    assert both(newer, odd) == [newer, odd.tree]


def test_what_the_practice_recorded_later_mends_what_is_not_understood() -> None:
    strange: JsonObject = {"url": "https://x.example/unless", "valueBoolean": True}
    theirs = held(recorded_at=LATER)
    assert both(sent(modifierExtension=[strange]), theirs) == [theirs.tree]


def test_the_versions_that_count_are_named() -> None:
    beaten, counts = held(of=SECOND), held(of=FIRST, identifier=[OTHER_NAME])
    mine = sent("2026-10-12")
    assert versions_used([mine], [beaten, counts], RECEIVED) == (f"{FIRST}/1",)
    assert versions_used([], [beaten, counts], RECEIVED) == (f"{FIRST}/1", f"{SECOND}/1")


# Clocks differ.


@pytest.mark.parametrize(
    "ahead", ["2026-10-14T09:04:59Z", "2026-10-14T23:04:59+14:00", "2026-10-13T19:00:01-14:00"]
)
@pytest.mark.parametrize("ago", [timedelta(), timedelta(seconds=1), timedelta(minutes=5)])
def test_a_consent_from_the_future_does_not_beat_what_was_just_recorded(
    ahead: str, ago: timedelta
) -> None:
    at = RECEIVED - ago
    theirs = held("2026-10-01", effective_at=at, recorded_at=at, status="inactive")
    assert both(sent(ahead), theirs) == [sent(ahead), theirs.tree]
    error = held("2026-10-01", recorded_at=at, status="entered-in-error")
    assert both(sent(ahead), error) == [sent(ahead), error.tree]


def test_a_consent_from_the_future_does_not_beat_a_withdrawal_dated_just_before() -> None:
    date = "2026-10-14T08:59:00Z"
    theirs = held(date, recorded_at=RECEIVED, status="inactive")
    mine = sent("2026-10-14T09:04:59Z")
    assert theirs.effective_at < theirs.recorded_at
    assert both(mine, theirs) == [mine, theirs.tree]


@pytest.mark.parametrize("date_time", ["2026-10-14T08:55:00Z", "2026-10-14T08:45:00Z"])
def test_within_the_skew_of_a_recording_nobody_can_tell_which_is_later(date_time: str) -> None:
    at = datetime(2026, 10, 14, 8, 50, tzinfo=UTC)
    theirs = held("2026-10-01", effective_at=at, recorded_at=at, status="inactive")
    assert both(sent(date_time), theirs) == [sent(date_time), theirs.tree]


def test_beyond_the_skew_of_a_recording_the_later_counts() -> None:
    at = datetime(2026, 10, 14, 8, 50, tzinfo=UTC)
    theirs = held("2026-10-01", effective_at=at, recorded_at=at, status="inactive")
    older, newer = sent("2026-10-14T08:44:59Z"), sent("2026-10-14T08:55:01Z")
    assert both(older, theirs) == [theirs.tree]
    assert both(newer, theirs) == [newer]


def test_a_clock_that_is_ahead_still_gives_consent_anew_long_after_a_withdrawal() -> None:
    theirs = held("2026-10-01", effective_at=EARLIER, status="inactive")
    ahead = sent("2026-10-14T09:04:59Z")
    assert both(ahead, theirs) == [ahead]


@pytest.mark.parametrize("to_come", ["2026-10-14T09:05:01Z", "2026-12-01", "9999"])
def test_a_consent_that_was_still_to_come_is_not_later_than_any(to_come: str) -> None:
    """Else it would beat a withdrawal once its day has come and the referral is replayed."""
    theirs = held("2026-10-01", effective_at=EARLIER, status="inactive")
    assert both(sent(to_come), theirs) == [sent(to_come), theirs.tree]


@pytest.mark.parametrize(
    "end",
    [
        "0001",
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00-14:00",
        "9999",
        "9999-12-31T23:59:59+14:00",
        "9999-12-31T23:59:59-14:00",
    ],
)
def test_a_consent_dated_at_an_end_of_the_calendar_is_no_failure(end: str) -> None:
    said = effective_from(end, "active", recorded_at=RECEIVED, earlier=())
    assert said.utcoffset() == timedelta()
    assert said == RECEIVED or said.year == 1
    assert both(sent(end), held())
    assert both(sent(), held(end))
    assert combine([sent(end)], [held(end)], datetime.max.replace(tzinfo=UTC))


# What a held version refuses of those before it.


TO_STRANGER = a_provision(actor=[an_actor("urn:uuid:stranger")])
STRANGE: JsonObject = {"url": "https://x.example/unless", "valueBoolean": True}


def read_beside_a_message(theirs: HeldConsent) -> ConsentReading:
    return read(*combine([without(a_consent(), "identifier")], [theirs], RECEIVED))


@pytest.mark.parametrize(
    "refusing",
    [
        {"status": "inactive"},
        {"status": "rejected"},
        {"policyRule": concept(ACT_CODE, "OPTOUT")},
        {"status": "inactive", "category": of_kind("share-plan")["category"]},
    ],
    ids=["withdrawn", "rejected", "opted out", "withdrawn of another kind"],
)
def test_a_withdrawal_that_changes_the_actor_still_withdraws_for_the_old_one(
    refusing: JsonObject,
) -> None:
    tree = {**sent(provision=TO_STRANGER), **refusing}
    theirs = replace(held(earlier=(sent(),)), tree=tree)
    alone = read(*combine([], [theirs], RECEIVED)).state
    assert alone in {ConsentState.WITHDRAWN, ConsentState.REJECTED}
    assert read_beside_a_message(theirs) == NOT_UNDERSTOOD
    later = replace(theirs, earlier=(sent(), sent(provision=TO_STRANGER)))
    assert read_beside_a_message(later) == NOT_UNDERSTOOD


def test_a_withdrawal_all_of_whose_versions_are_about_others_is_set_aside() -> None:
    theirs = held(earlier=(sent(provision=TO_STRANGER),), status="inactive", provision=TO_STRANGER)
    assert read_beside_a_message(theirs) == COVERS


def test_a_withdrawal_of_what_was_not_understood_withdraws_for_everybody() -> None:
    odd = sent(provision=TO_STRANGER, modifierExtension=[STRANGE])
    theirs = held(earlier=(odd,), status="inactive", provision=TO_STRANGER)
    assert read_beside_a_message(theirs) == NOT_UNDERSTOOD
    assert read(*combine([], [theirs], RECEIVED)).state is ConsentState.WITHDRAWN


def test_a_version_that_permits_says_nothing_of_those_before_it() -> None:
    theirs = held(earlier=(sent(),), provision=TO_STRANGER)
    assert combine([], [theirs], RECEIVED) == [theirs.tree]


@given(
    st.lists(st.sampled_from(["2026-10-01", "2026-10-05", "2026-10", None]), max_size=3),
    st.lists(
        st.tuples(
            st.sampled_from(["2026-10-01", "2026-10-05", "2026-10"]),
            st.sampled_from([EARLIER, LATER]),
        ),
        max_size=3,
    ),
)
def test_of_one_consent_at_least_one_version_always_counts(
    mine: list[str | None], theirs: list[tuple[str, datetime]]
) -> None:
    of_register = [held(date, recorded_at=at) for date, at in theirs]
    counted = combine([sent(date) for date in mine], of_register, RECEIVED)
    assert bool(counted) is bool(mine or theirs)


# From when a version counts.


def test_a_consent_counts_from_its_date() -> None:
    said = effective_from("2026-10-01T10:00:00+01:00", "active", recorded_at=RECEIVED, earlier=())
    assert said == datetime(2026, 10, 1, 9, 0, tzinfo=UTC)
    assert said.utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("date_time", "start"),
    [("2026", (2026, 1, 1)), ("2026-10", (2026, 10, 1)), ("2026-10-01", (2026, 10, 1))],
)
def test_a_date_without_a_time_counts_from_its_beginning(
    date_time: str, start: tuple[int, int, int]
) -> None:
    said = effective_from(date_time, "active", recorded_at=RECEIVED, earlier=())
    assert said == datetime(*start, tzinfo=UTC)


@pytest.mark.parametrize("date_time", [None, "2026-10-14T09:02:00Z", "nonsense"])
def test_a_consent_whose_date_says_nothing_counts_from_its_recording(
    date_time: str | None,
) -> None:
    assert effective_from(date_time, "active", recorded_at=RECEIVED, earlier=()) == RECEIVED


def test_a_version_counts_from_its_date_where_that_moved_forward() -> None:
    said = effective_from("2026-10-10", "inactive", recorded_at=RECEIVED, earlier=[EARLIER])
    assert said == datetime(2026, 10, 10, tzinfo=UTC)


@pytest.mark.parametrize("date_time", ["2026-01-01", "2026-10-09T09:00:00Z"])
def test_a_withdrawal_dated_before_its_consent_counts_from_its_recording(date_time: str) -> None:
    said = effective_from(date_time, "inactive", recorded_at=RECEIVED, earlier=[EARLIER])
    assert said == RECEIVED


def test_a_version_is_compared_with_the_last_one_and_not_with_the_first() -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC), EARLIER]
    said = effective_from("2026-10-01", "active", recorded_at=RECEIVED, earlier=times)
    assert said == RECEIVED


def test_what_was_entered_in_error_never_counted() -> None:
    times = [datetime(2026, 1, 1, tzinfo=UTC), EARLIER]
    said = effective_from("2026-10-12", "entered-in-error", recorded_at=RECEIVED, earlier=times)
    assert said == times[0]


def test_an_error_found_before_a_clock_was_set_back_counts_at_once() -> None:
    ahead = [RECEIVED + timedelta(minutes=3)]
    said = effective_from(None, "entered-in-error", recorded_at=RECEIVED, earlier=ahead)
    assert said == RECEIVED


def test_the_same_instant_in_another_time_zone_has_not_moved_forward() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    before = [EARLIER.astimezone(zone)]
    same = EARLIER.astimezone(timezone(timedelta(hours=-4))).isoformat()
    assert effective_from(same, "active", recorded_at=RECEIVED, earlier=before) == RECEIVED


def test_the_names_of_a_consent_are_those_with_a_system_and_a_value() -> None:
    tree = a_consent(identifier=[NAME, {"value": "x"}, {"system": "https://x.example"}])
    assert names_of(tree) == {Identifier("https://gp.example/consents", "C-1")}
    assert names_of(a_consent(policyRule=concept(ACT_CODE, "OPTIN"))) == frozenset()
