"""Each entry as an AuditEvent: valid, ours, and of IHE BALP only where it says so."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from gateway.fhir.text import Media, read_resource, write_resource
from gateway.fhir.validate import validate
from gateway.ledger.balp import (
    ACTOR_SYSTEM,
    BALP,
    DISCLOSURE,
    HANDLE_SYSTEM,
    PATIENT_CREATE,
    PATIENT_READ,
    PATIENT_UPDATE,
    PROFILE,
    audit_event,
    event_id,
)
from gateway.ledger.balp_table import (
    DCM,
    FORMS,
    REST,
    Action,
    Codes,
    Coding,
    Outcome,
    sort_of,
    sorts_with,
)
from gateway.ledger.entry import Entry
from gateway.ledger.kinds import Door, Effect, EntryKind, Interaction
from gateway.ledger.seal import PlacedEntry
from gateway.ledger.sentence import sentence
from tests.builders.house import own_profiles
from tests.unit.ledger.lines import (
    ENTRIES,
    LOG,
    MORNING,
    an_entry,
    changed,
    placed_of,
    vector_lines,
)

ORIGIN = "gateway.example/ledger"
HASH = bytes(range(32))
TERMINOLOGY = Path(__file__).parents[3] / "fhir_profiles" / "terminology"


def shown(entry: Entry, **place: Any) -> Any:
    kept: dict[str, Any] = {
        "log": LOG, "index": 17, "at": MORNING, "prev_subject": None, "prev_practice": None,
    } | place  # fmt: skip
    return audit_event(PlacedEntry(entry=entry, **kept), HASH, ods="XGW01", origin=ORIGIN)


def variants() -> Iterator[Entry]:
    """Every entry of the vectors, and each again with whatever changes how it is shown."""
    yield from ENTRIES
    for effect in Effect:
        yield changed(an_entry(EntryKind.DECISION_PREVIEWED), effect=effect)
        yield changed(an_entry(EntryKind.DECISION_MADE), effect=effect)
    for door in Door:
        yield changed(an_entry(EntryKind.REFERRAL_RECEIVED), door=door)
        yield changed(an_entry(EntryKind.REFERRAL_CANCELLED), door=door)
    read = an_entry(EntryKind.RECORD_READ)
    own = "00000000-0000-4000-8000-000000000001"
    persons, records = ("5eedc0de" * 4, None), ((own, None), (None, own), (None, None))
    for how, subject, (referral, consent) in product(Interaction, persons, records):
        yield changed(read, interaction=how, subject=subject, referral=referral, consent=consent)
    for ok in (True, False):
        yield changed(an_entry(EntryKind.LEDGER_VERIFIED), ok=ok)


VARIANTS = tuple(variants())


@pytest.mark.parametrize("entry", VARIANTS, ids=lambda entry: entry.kind)
def test_every_event_is_valid_in_json_and_in_xml_and_keeps_to_our_profile(entry: Entry) -> None:
    event = shown(entry)
    assert event["meta"]["profile"][0] == PROFILE
    assert validate(event, profiles=own_profiles()) == []
    AuditEvent.model_validate(event)
    assert read_resource(write_resource(event, Media.XML), Media.XML) == event


def test_our_profile_knows_every_kind_and_no_other() -> None:
    system = json.loads((TERMINOLOGY / "CodeSystem-entry-kind.json").read_text(encoding="utf-8"))
    assert {each["code"] for each in system["concept"]} == set(EntryKind)
    assert system["count"] == len(EntryKind)


def test_every_kind_has_its_row_and_every_row_its_entries() -> None:
    assert {sort.kind for sort in FORMS} == set(EntryKind)
    assert {sort_of(entry) for entry in VARIANTS} == set(FORMS)
    varying = {sort.kind for sort in FORMS if sort.says is not None}
    assert not varying & {sort.kind for sort in FORMS if sort.says is None}


def among(entity: str, event: Any, kind: str, system: str = DCM) -> list[Any]:
    """The agents or entities of one type."""
    found = []
    for each in event[entity]:
        codings = each["type"]["coding"] if entity == "agent" else [each["type"]]
        if (system, kind) in {(c["system"], c["code"]) for c in codings}:
            found.append(each)
    return found


@dataclass(frozen=True)
class Balp:
    """What one profile of BALP asks. Source: IHE BALP 1.1.3 and 1.1.4, the differentials.

    `subtypes`: exactly one of these must be there; None: any. `client` and `server` are of
    DICOM, each exactly once, with who and network, without media.
    """

    type: tuple[str, str]
    subtypes: frozenset[str] | None
    action: str
    client: str
    server: str
    has_data: bool = True


REST_TYPE = (REST.system, REST.code)
ASKED = {
    PATIENT_CREATE: Balp(REST_TYPE, frozenset({"create"}), "C", "110153", "110152"),
    PATIENT_UPDATE: Balp(REST_TYPE, None, "U", "110153", "110152"),
    PATIENT_READ: Balp(REST_TYPE, frozenset({"read", "vread"}), "R", "110152", "110153"),
    DISCLOSURE: Balp(
        (DCM, "110106"), frozenset({"disclose"}), "R", "110153", "110152", has_data=False
    ),
}
ENTITY_TYPE = "http://terminology.hl7.org/CodeSystem/audit-entity-type"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"


def faults(event: Any, asked: Balp) -> list[str]:
    """What a profile of BALP has against an event."""
    return [
        *faults_of_the_act(event, asked),
        *faults_of_agents(event, asked),
        *faults_of_entities(event, asked),
    ]


def faults_of_the_act(event: Any, asked: Balp) -> Iterator[str]:
    if (event["type"]["system"], event["type"]["code"]) != asked.type:
        yield "type"
    codes = {each["code"] for each in event["subtype"]}
    if not codes or (asked.subtypes and len(asked.subtypes & codes) != 1):
        yield "subtype"
    if (event["action"], event["outcome"]) != (asked.action, "0"):
        yield "action, outcome"
    if "modifierExtension" in event:
        yield "modifierExtension"


def faults_of_agents(event: Any, asked: Balp) -> Iterator[str]:
    for role in (asked.client, asked.server):
        found = among("agent", event, role)
        if len(found) != 1 or not {"who", "network"} <= found[0].keys() or "media" in found[0]:
            yield f"agent {role}"
    if any(among("agent", event, user, PARTICIPATION) for user in ("AUT", "INF", "CST", "IRCP")):
        yield "a user, whom no leaf knows"
    sources = [each["who"] for each in among("agent", event, asked.client)]
    if not asked.has_data and sources != [event["source"]["observer"]]:
        yield "val-audit-source: the source of a disclosure records it"


def faults_of_entities(event: Any, asked: Balp) -> Iterator[str]:
    persons = among("entity", event, "1", ENTITY_TYPE)
    if [(each["role"]["code"], each["what"]["type"]) for each in persons] != [("1", "Patient")]:
        yield "patient"
    roles = [each["role"]["code"] for each in among("entity", event, "2", ENTITY_TYPE)]
    if asked.has_data and not (len(roles) == 1 and set(roles) <= {"3", "4", "20"}):
        yield "data"
    if len(event["entity"]) < 2:
        yield "entity"


def claims(event: Any) -> list[str]:
    return [each for each in event["meta"]["profile"] if each.startswith(BALP)]


@pytest.mark.parametrize("entry", VARIANTS, ids=lambda entry: entry.kind)
def test_a_profile_of_balp_is_claimed_only_by_an_event_that_keeps_to_it(entry: Entry) -> None:
    event = shown(entry)
    for claim in claims(event):
        assert faults(event, ASKED[claim]) == []


def test_what_does_not_keep_to_a_profile_of_balp_is_noticed() -> None:
    for entry in VARIANTS:
        event = shown(entry)
        for profile in set(ASKED) - set(claims(event)):
            assert faults(event, ASKED[profile])


CLAIMED = {
    (EntryKind.REFERRAL_RECEIVED, PATIENT_CREATE),
    (EntryKind.CONSENT_RECORDED, PATIENT_CREATE),
    (EntryKind.REFERRAL_CANCELLED, PATIENT_UPDATE),
    (EntryKind.CONSENT_SUPERSEDED, PATIENT_UPDATE),
    (EntryKind.CONSENT_WITHDRAWN, PATIENT_UPDATE),
    (EntryKind.CONSENT_ERROR, PATIENT_UPDATE),
    (EntryKind.RECORD_READ, PATIENT_READ),
    (EntryKind.DELIVERY_DELIVERED, DISCLOSURE),
}


def test_these_kinds_claim_a_profile_of_balp_and_no_others() -> None:
    assert {(e.kind, claim) for e in VARIANTS for claim in claims(shown(e))} == CLAIMED


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (EntryKind.REFERRAL_RECEIVED, {"door": Door.BARS}),
        (EntryKind.REFERRAL_CANCELLED, {"door": Door.BARS}),
        (EntryKind.RECORD_READ, {"interaction": Interaction.SEARCH}),
        (EntryKind.RECORD_READ, {"interaction": Interaction.HISTORY}),
        (EntryKind.RECORD_READ, {"interaction": Interaction.READ, "subject": None}),
        (
            EntryKind.RECORD_READ,
            {"interaction": Interaction.READ, "referral": None, "consent": None},
        ),
    ],
)
def test_an_event_that_lacks_what_a_profile_asks_claims_none(
    kind: EntryKind, fields: dict[str, Any]
) -> None:
    assert claims(shown(changed(an_entry(kind), **fields))) == []


def test_a_refusal_because_no_consent_exists_can_be_said() -> None:
    refused = changed(
        an_entry(EntryKind.DECISION_MADE),
        effect=Effect.DENY, rule="R30", code="NO_PATIENT_CONSENT", referral=None, delivery=None,
        payload_sha256=None,
    )  # fmt: skip
    event = shown(refused)
    assert (event["type"]["code"], event["outcome"], claims(event)) == ("110113", "8", [])
    assert not [e for e in event["entity"] if "Consent" in str(e["what"].get("reference"))]
    assert "denied by rule R30 (NO_PATIENT_CONSENT)" in event["outcomeDesc"]


@pytest.mark.parametrize(
    ("effect", "outcome"), [(Effect.PERMIT, "0"), (Effect.HOLD, "4"), (Effect.DENY, "8")]
)
def test_the_outcome_of_a_decision_is_what_it_said(effect: Effect, outcome: str) -> None:
    assert shown(changed(an_entry(EntryKind.DECISION_MADE), effect=effect))["outcome"] == outcome


def details(event: Any) -> dict[str, list[str]]:
    """What the entity that is the entry itself says."""
    (entry,) = [e for e in event["entity"] if e.get("role", {}).get("code") == "13"]
    found: dict[str, list[str]] = {}
    for each in entry["detail"]:
        found.setdefault(each["type"], []).append(each["valueString"])
    return found


def test_an_event_leads_to_its_entry_and_tells_what_the_leaf_tells() -> None:
    for line in vector_lines():
        placed = placed_of(line)
        leaf = bytes.fromhex(line["leaf_hash"])
        event = audit_event(placed, leaf, ods="XGW01", origin=ORIGIN)
        body = json.loads(line["body"])
        told = details(event)
        assert told["log"] == [body["log"]]
        assert told["idx"] == [str(body["idx"])]
        assert told["leaf_hash"] == [line["leaf_hash"]]
        assert told.get("detail_commit", [None])[0] == body.get("detail_commit")
        said = {n: v for n, v in body["detail"].items() if v is not None and v != []}
        said |= {f"epochs.{n}": v for n, v in (body.get("epochs") or {}).items() if v is not None}
        assert {n: told[n] for n in said} == {
            n: [str(each).lower() if isinstance(each, bool) else str(each) for each in listed]
            for n, v in said.items()
            for listed in [v if isinstance(v, list) else [v]]
        }
        whole = json.dumps(event)
        for reference in body["refs"].values():
            assert reference is None or reference in whole
        assert event["recorded"] == body["t"]
        assert event["outcomeDesc"] == sentence(placed.entry)


def test_a_person_is_a_handle_and_nothing_else() -> None:
    for entry in VARIANTS:
        persons = among("entity", shown(entry), "1", ENTITY_TYPE)
        assert [each["what"] for each in persons] == (
            [{"identifier": {"system": HANDLE_SYSTEM, "value": entry.subject}, "type": "Patient"}]
            if entry.subject
            else []
        )


def test_who_acted_whose_data_it_is_and_who_was_to_have_it_are_told_apart() -> None:
    event = shown(an_entry(EntryKind.DECISION_MADE))
    (actor,) = [a for a in event["agent"] if a["requestor"]]
    assert actor["who"]["identifier"]["system"] == ACTOR_SYSTEM
    who = [a["who"]["identifier"]["value"] for a in event["agent"]]
    assert {"XGW01", "A81001", "RX4Y7"} <= set(who)
    (policy,) = [a["policy"] for a in event["agent"] if "policy" in a]
    assert policy == [f"https://fhir.referral-gateway.example/policy/{details(event)['policy'][0]}"]


def test_the_version_of_a_consent_is_in_its_address() -> None:
    consent = an_entry(EntryKind.CONSENT_WITHDRAWN)
    (data,) = among("entity", shown(consent), "2", ENTITY_TYPE)
    version = details(shown(consent))["version"][0]
    assert data["what"]["reference"].endswith(f"/_history/{version}")


def test_an_event_is_named_by_year_and_index_also_where_logs_share_a_year() -> None:
    assert event_id(LOG, 17, origin=ORIGIN) == "2026-17"
    other = event_id(LOG, 17, origin="elsewhere.example/ledger")
    assert other.startswith("2026-17.")
    assert len(other) <= 64
    assert other != event_id("third.example/ledger/2026", 17, origin=ORIGIN)


def fits(event: Any, codes: Codes) -> bool:
    """The same question, asked of an event as it is shown."""
    types = {Coding(event["type"]["system"], event["type"]["code"])}
    subtypes = {Coding(each["system"], each["code"]) for each in event["subtype"]}
    return all(
        wanted is None or have & set(wanted)
        for have, wanted in (
            (types, codes.types),
            (subtypes, codes.subtypes),
            ({Action(event["action"])}, codes.actions),
            ({Outcome(event["outcome"])}, codes.outcomes),
        )
    )


def test_a_search_by_codes_finds_what_is_shown_with_them_and_nothing_else() -> None:
    one = frozenset[Any]
    asked = {
        Codes(),
        Codes(types=one()),
        *(Codes(types=one({f.type}), actions=one({f.action})) for f in FORMS.values()),
        *(Codes(outcomes=one({f.outcome}), actions=one({f.action})) for f in FORMS.values()),
        *(Codes(subtypes=one({each})) for f in FORMS.values() for each in f.subtypes),
        *(Codes(outcomes=one({each})) for each in Outcome),
    }
    events = [(sort_of(entry), shown(entry)) for entry in VARIANTS]
    for codes in asked:
        found = set(sorts_with(codes))
        assert all((sort in found) is fits(event, codes) for sort, event in events)
    assert Codes().are_any
    assert not Codes(types=frozenset()).are_any
