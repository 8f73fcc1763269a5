"""The sharing rules read a second time, from the reference and not from the house's table.

Facts are a plain object of JSON; truth is a number: 1 true, 0 false, a half unknown; AND is the
least, OR the greatest. Shares nothing with `gateway.consent` but what went in and came out.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

Given = Mapping[str, Any]

CLASSES = {
    "direct": ("direct-care", "emergency"),
    "explicit": ("occupational-health", "work-health", "employment-report", "eap"),
    "secondary": ("evaluation", "research", "planning", "risk-stratification", "payment"),
    "statutory": ("statutory",),
    "admin": ("practice-admin",),
}
CARRY = ("forward", "extract", "release_report", "write_document", "write_back", "read_record")
DISCLOSE = ("forward", "extract", "release_report")
BY_CONSENT = ("forward", "release_report")
UNDER_AGREEMENT = ("forward", "extract")
WEIGHT = {"DENY": 2, "HOLD": 1, "PERMIT": 0}


class Told(NamedTuple):
    effect: str
    rule: str
    code: str
    hits: tuple[str, ...]
    grounds: tuple[str, ...]
    obligations: tuple[str, ...]


class Asked:
    """One object of facts, and how true what one says of it is."""

    def __init__(self, given: Given) -> None:
        self.given = given
        purpose = given["purpose"]
        kinds = [kind for kind, purposes in CLASSES.items() if purpose in purposes]
        self.kind = None if purpose is None else (kinds or ["?"])[0]

    def true(self, name: str) -> float:
        value = self.given[name]
        return 0.5 if value is None else float(value)

    def false(self, name: str) -> float:
        return 1 - self.true(name)

    def one(self, name: str, *codes: str) -> float:
        value = self.given[name]
        return 0.5 if value is None else float(value in codes)

    def of(self, *kinds: str) -> float:
        return 0.5 if self.kind is None else float(self.kind in kinds)

    def to(self, *actions: str) -> float:
        return self.one("action", *actions)

    def unagreed_label(self) -> float:
        labels, agreed = self.given["labels"], self.given["consent_labels"]
        if labels is None:
            return 0.5
        if agreed is None:
            return 0.5 if labels else 0.0
        return float(any(label not in agreed for label in labels))

    def three_weeks(self) -> float:
        days = self.given["sight_days"]
        return 0.5 if days is None else float(days > 20)

    def needs_hiding(self) -> float:
        return max(self.true("legal_restricted"), self.true("sealed"))

    def consented(self) -> float:
        return min(
            self.one("consent", "active"),
            self.true("consent_in_period"),
            self.true("consent_recipient"),
            self.true("consent_purpose"),
            self.true("consent_evidence"),
        )


Row = tuple[str, str, str, float]


def standing(q: Asked) -> Iterator[Row]:
    """Who and what: R02 to R10."""
    carries, discloses = q.to(*CARRY), q.to(*DISCLOSE)
    yield (
        "R02",
        "DENY",
        "NOT_CONTROLLER",
        min(carries, q.false("registered"), q.one("referral_type", "clinical")),
    )
    yield "R03", "DENY", "UNKNOWN_RECIPIENT", min(discloses, q.false("recipient_known"))
    yield "R04", "HOLD", "RECIPIENT_ASSURANCE_LAPSED", min(discloses, q.false("recipient_assured"))
    yield "R05", "DENY", "PATIENT_DECEASED", min(q.to(*BY_CONSENT), q.true("deceased"))
    yield "R06", "DENY", "PURPOSE_NOT_RECOGNISED", q.of("?")
    yield "R07", "HOLD", "SENSITIVE_PATIENT", min(carries, q.true("s_flag"))
    yield (
        "R08",
        "HOLD",
        "AUTHORITY_TO_CONSENT_UNPROVEN",
        min(q.to(*BY_CONSENT), q.of("explicit"), q.one("authority", "none")),
    )
    yield (
        "R10",
        "HOLD",
        "LEGAL_BASIS_NEEDS_AUTHORISATION",
        min(q.to(*UNDER_AGREEMENT), q.of("statutory"), q.false("legal_authorised")),
    )


def practice(q: Asked) -> Iterator[Row]:
    """Agreements and switches: R20 to R28."""
    shares, signs = q.to(*UNDER_AGREEMENT), q.to("activate_agreement")
    needs_agreement = min(shares, q.of("explicit", "secondary"))
    secondary = min(shares, q.of("secondary"))
    narrowed = q.one("sw_secondary", "exclusive-withdrawn")
    yield (
        "R20",
        "DENY",
        "NO_AGREEMENT",
        min(needs_agreement, max(q.one("agreement", "none"), q.false("agreement_covers"))),
    )
    yield (
        "R21",
        "DENY",
        "AGREEMENT_NOT_IN_FORCE",
        min(needs_agreement, q.one("agreement", "suspended", "withdrawn", "expired")),
    )
    exclusive = min(narrowed, q.one("agreement_kind", "exclusive-secondary"))
    yield (
        "R22",
        "DENY",
        "SECONDARY_SHARING_WITHDRAWN",
        min(secondary, max(q.one("sw_secondary", "off"), exclusive)),
    )
    yield (
        "R24",
        "HOLD",
        "MIXED_AGREEMENT_NEEDS_DECISION",
        min(secondary, narrowed, q.one("agreement_kind", "mixed", "direct")),
    )
    frozen = min(signs, q.one("sw_freeze", "on"))
    yield "R23", "DENY", "NEW_AGREEMENTS_FROZEN", min(frozen, q.one("agr_change", "new", "widened"))
    yield "R23b", "HOLD", "RENEWAL_NEEDS_DECISION", min(frozen, q.one("agr_change", "renewal"))
    yield "R23c", "HOLD", "DPIA_MISSING", min(signs, q.false("dpia"))
    yield (
        "R25",
        "DENY",
        "UPDATE_RECORD_SWITCHED_OFF",
        min(q.to("write_back"), q.one("sw_update_record", "off")),
    )
    yield (
        "R26",
        "DENY",
        "GP_CONNECT_DIRECT_CARE_ONLY",
        min(q.to("write_back", "read_record"), 1 - q.of("direct")),
    )
    yield (
        "R27",
        "DENY",
        "INFORMAL_OR_UNRESOURCED_SHARED_CARE",
        min(
            q.to("accept_shared_care"),
            max(q.false("sc_formal"), q.false("sc_resourced"), q.false("sc_support")),
        ),
    )
    yield (
        "R27b",
        "HOLD",
        "PRACTICE_CAPACITY",
        min(q.to("accept_shared_care"), q.false("sc_capacity")),
    )
    yield (
        "R28",
        "HOLD",
        "SEND_DOCUMENT_OFF",
        min(q.to("write_document"), q.one("sw_send_document", "off")),
    )


def patient(q: Asked) -> Iterator[Row]:
    """Consent, dissent and opt-outs: R30 to R38."""
    asked = min(q.to(*BY_CONSENT), q.of("explicit"))
    given = min(asked, q.one("consent", "active"))
    yield (
        "R30",
        "DENY",
        "NO_PATIENT_CONSENT",
        min(asked, q.one("consent", "none", "rejected", "entered-in-error")),
    )
    yield "R30b", "HOLD", "CONSENT_NOT_YET_GIVEN", min(asked, q.one("consent", "proposed"))
    yield "R31", "DENY", "CONSENT_WITHDRAWN", min(asked, q.one("consent", "withdrawn"))
    yield "R32", "DENY", "CONSENT_EXPIRED", min(given, q.false("consent_in_period"))
    yield (
        "R33",
        "HOLD",
        "CONSENT_DOES_NOT_COVER",
        min(given, max(q.false("consent_recipient"), q.false("consent_purpose"))),
    )
    yield "R34", "HOLD", "CONSENT_EVIDENCE_WEAK", min(given, q.false("consent_evidence"))
    older = q.one("dissent", "before-consent")
    yield (
        "R35",
        "DENY",
        "PATIENT_DISSENT",
        min(
            q.to("forward", "read_record", "release_report"),
            max(q.one("dissent", "after-consent"), min(q.of("direct"), older)),
        ),
    )
    yield "R35b", "HOLD", "DISSENT_CONFLICTS_WITH_CONSENT", min(asked, older)
    yield from opt_outs(q)


def opt_outs(q: Asked) -> Iterator[Row]:
    named = min(q.to(*UNDER_AGREEMENT), q.false("anonymised"))
    secondary, specific = q.of("secondary"), q.true("specific_consent")
    opted_out = min(named, q.true("type1"))
    yield (
        "R36",
        "DENY",
        "TYPE_1_OPT_OUT",
        min(
            opted_out,
            max(min(secondary, 1 - specific), min(q.of("statutory"), q.true("honours_type1"))),
        ),
    )
    yield "R36b", "HOLD", "TYPE_1_CONFLICTS_WITH_CONSENT", min(opted_out, secondary, specific)
    yield (
        "R37",
        "DENY",
        "NATIONAL_DATA_OPT_OUT",
        min(named, secondary, q.true("ndoo"), 1 - specific),
    )
    yield (
        "R38",
        "DENY",
        "NO_CONFIDENTIALITY_BASIS",
        min(named, secondary, q.false("s251"), 1 - specific),
    )


def content(q: Asked) -> Iterator[Row]:
    """What is in it, and employers: R40h to R52b."""
    sends, reports = q.to("forward"), q.to("release_report")
    yield (
        "R40h",
        "HOLD",
        "REDACTION_REMOVES_REASON",
        min(sends, q.true("reason_hit"), max(q.unagreed_label(), q.needs_hiding())),
    )
    yield "R44", "HOLD", "THIRD_PARTY_INFORMATION", min(q.to(*BY_CONSENT), q.true("third_party"))
    yield "R45", "HOLD", "FREE_TEXT_NOT_REVIEWED", min(sends, q.false("freetext_ok"))
    boss = q.one("recipient_role", "employer", "hr")
    yield (
        "R50",
        "DENY",
        "EMPLOYER_NEVER_SEES_CLINICAL",
        min(q.to(*BY_CONSENT), boss, 1 - q.one("report", "functional", "amra")),
    )
    to_boss = min(reports, boss)
    yield "R51", "DENY", "EMPLOYEE_OBJECTS_AFTER_SIGHT", min(to_boss, q.one("sight", "objects"))
    timed_out = min(q.one("report", "amra"), q.three_weeks())
    yield (
        "R51b",
        "HOLD",
        "EMPLOYEE_SIGHT_PENDING",
        min(to_boss, q.one("sight", "pending"), 1 - timed_out),
    )
    yield "R51c", "HOLD", "EMPLOYEE_NOT_OFFERED_SIGHT", min(to_boss, q.one("sight", "none"))
    yield (
        "R52",
        "DENY",
        "EMPLOYER_USE_OF_GP_RECORD",
        min(
            q.to(*UNDER_AGREEMENT),
            q.one("referral_type", "management"),
            q.true("payload_from_record"),
        ),
    )
    yield (
        "R52b",
        "HOLD",
        "PRACTICE_IS_THE_EMPLOYER",
        min(q.to("write_document", "write_back"), q.true("practice_is_employer")),
    )


def moment(q: Asked) -> Iterator[Row]:
    """Capacity, eligibility, money, and the act itself: R53 to R61."""
    sends = q.to("forward")
    yield "R53", "HOLD", "RECIPIENT_NO_CAPACITY", min(sends, q.false("recipient_accepting"))
    unfit = max(q.false("employed"), q.false("absence_ok"), q.true("prior_12m"))
    yield "R54", "DENY", "NOT_ELIGIBLE", min(sends, q.one("purpose", "work-health"), unfit)
    yield "R55", "HOLD", "NO_FUNDER", min(sends, q.of("explicit"), q.false("funded"))
    yield "R60", "HOLD", "FACTS_STALE", min(q.to(*CARRY), q.false("fresh"))
    yield "R61", "HOLD", "PAYLOAD_CHANGED", min(q.to(*DISCLOSE), q.false("payload_hash_ok"))


def grounds(q: Asked) -> Iterator[tuple[str, float]]:
    lawful = max(q.true("anonymised"), q.true("s251"), q.true("specific_consent"))
    care = ("forward", "write_document", "write_back", "read_record", "release_report")
    yield "G1", min(q.of("direct"), q.to(*care), q.true("registered"))
    yield "G2", min(q.of("explicit"), q.to(*BY_CONSENT), q.consented())
    yield "G2d", min(q.of("explicit"), q.to("write_document"))
    yield "G3", min(
        q.of("secondary"), q.to(*UNDER_AGREEMENT),
        q.one("agreement", "active"), q.true("agreement_covers"), lawful,
    )  # fmt: skip
    yield "G4", min(q.of("statutory"), q.to(*UNDER_AGREEMENT), q.true("legal_authorised"))
    yield "G5", min(q.to("activate_agreement"), q.true("dpia"))
    yield "G5s", min(
        q.to("accept_shared_care"), q.true("sc_formal"), q.true("sc_resourced"),
        q.true("sc_support"),
    )  # fmt: skip


def duties(q: Asked, effect: str) -> Iterator[tuple[str, float]]:
    """Each duty and how true it is that it comes; half is enough, but for what says `- 0.1`."""
    if effect != "PERMIT":
        yield ("TASK" if effect == "HOLD" else "NOTIFY_REFERRER"), 1
        yield "EXTERNAL_REASON_NOT_FOUND", q.true("s_flag")
    yield "FALLBACK_SEND_DOCUMENT", min(q.to("write_back"), q.one("sw_update_record", "off")) - 0.1
    if effect == "PERMIT":
        yield from duties_of_a_permit(q)


def duties_of_a_permit(q: Asked) -> Iterator[tuple[str, float]]:
    sends, explicit = q.to("forward"), q.of("explicit")
    person = min(sends, q.of("direct", "explicit"))
    extracts = min(q.to("extract"), q.true("anonymised"))
    writes, reads = q.to("write_back", "write_document"), q.to("read_record")
    yield "LOG_DISCLOSURE", q.to(*DISCLOSE)
    yield "RECALL_HANDLE", person
    yield "NOTIFY_PRACTICE", min(person, q.false("practice_is_employer")) - 0.1
    yield "NOTIFY_NAMED_CLINICIAN", min(person, q.true("practice_is_employer"))
    yield "NORDSCLCD", max(min(sends, explicit), q.to("release_report"))
    yield "NOREUSE", min(sends, explicit)
    yield "COPY_TO_PATIENT", min(sends, explicit)
    yield "MINEC", min(sends, max(explicit, q.false("minimum")))
    silent = min(sends, q.needs_hiding())
    yield "REDACT", max(silent, min(sends, explicit, q.unagreed_label()))
    yield "REDACT_SILENT", max(silent, reads)
    yield "DEID", extracts
    yield "SMALL_NUMBERS", extracts
    yield "PROVENANCE", writes
    yield "LOG_WRITE", writes
    yield "LOG_ACCESS", reads
    yield "DPO_RECORD", q.of("statutory")
    yield "LOG_AGREEMENT", q.to("activate_agreement", "accept_shared_care")


EXCUSES = {"R30b", "R33", "R34", "R10", "R23c", "R01"}


def read_again(given: Given) -> Told:
    """Decide a second time."""
    q = Asked(given)
    hits: list[tuple[str, str, str]] = []
    for family in (standing, practice, patient, content, moment):
        for rule, effect, code, truth in family(q):
            if truth == 1:
                hits.append((rule, effect, code))
            elif truth > 0:
                hits.append(("R01", "HOLD", f"FACT_UNKNOWN:{rule}"))
    held = dict(grounds(q))
    if 1 not in held.values() and "DENY" not in {effect for _, effect, _ in hits}:
        if 0.5 in held.values():
            hits.append(("R01", "HOLD", "FACT_UNKNOWN:ground"))
        elif EXCUSES.isdisjoint(rule for rule, _, _ in hits):
            hits.append(("R00", "DENY", "NO_GROUND"))
    true_grounds = tuple(name for name, truth in held.items() if truth == 1)
    effect = max((effect for _, effect, _ in hits), key=WEIGHT.__getitem__, default="PERMIT")
    first = next(((r, c) for r, e, c in hits if e == effect), None)
    rule, code = first or (true_grounds[0], "PERMITTED")
    owed = {duty for duty, truth in duties(q, effect) if truth >= 0.5}
    return Told(effect, rule, code, tuple(c for _, _, c in hits), true_grounds, tuple(sorted(owed)))
