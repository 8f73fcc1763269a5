"""Check a ledger as an outsider would: this one file, and nothing else of the gateway.

What enters: the rows of a log; or an export, a proof or a timeline as files, and the keys of
log and witnesses. What leaves: a report with every finding (where, what, why), with what was
checked, and what that cannot show. It stands alone: copy the file out, and run it with
`python verify.py --help`. Standard library only, and `cryptography` where a signature is
checked. It is a second reading of FORMAT.md, and shares no code with what writes the ledger.
Must never: stop at damage with anything but a finding, quote a value of an entry, follow a
link out of the folder, read a file without a limit, or ask a network or a clock.

Sources: RFC 6962, section 2.1 (tree); RFC 9162, section 2.1.3.2 (proofs); RFC 8785 (canonical
JSON); c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles, tlog-proof.
"""

import argparse
import base64
import hashlib
import json
import re
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice
from multiprocessing import cpu_count
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn, Self, TextIO, TypeAlias

CLOCK_TOLERANCE = timedelta(seconds=2)
"""How far a time may lie before an earlier entry's: several processes write, each by its clock."""

KEPT_FINDINGS = 1000
"""Findings that a report holds. All are counted."""

PROGRESS_EVERY = 1024
"""Entries between two calls of `progress`."""

TILE_WIDTH = 256
"""Hashes in a full tile, entries in a full bundle. Source: c2sp.org/tlog-tiles."""

SHARED_FROM = 10_000
"""Entries from which several processes are quicker than one."""

AHEAD = 8
"""Bundles that lie ready for each process, so that memory stays small."""

MAX_BODY_BYTES = 2048
MAX_ENTRY_BYTES = 1728
"""A body without its place (index, log, time, links, commitment, version)."""

MAX_NOTE_BYTES = 65_536
MAX_SIGNATURES = 64
MAX_PATH = 63
"""Hashes in a proof of inclusion: more would be a log of more than 2**63 entries."""

MAX_BUNDLE_BYTES = TILE_WIDTH * (2 + 0xFFFF)
MAX_DETAIL_BYTES = 1 << 20
SALT_BYTES = 32
_ED25519, _COSIGNATURE = 1, 4  # types of keys. Source: c2sp.org/signed-note, Signature types

NOT_PROVED = (
    "That everything which happened was entered: an event that was never logged leaves no gap.",
    "That what was entered was true at the time.",
    "That nobody replaced entries and head together: only a head kept by somebody else shows it.",
)
"""What stays open even when every check passes."""

KEY_CAME_ALONG = (
    "Who wrote this: the key came with the files, so its signature proves nothing about that."
)
UNREAD = "Anything about what was not read: the check stopped at a finding."


class FindingCode(StrEnum):
    """What is wrong: with an entry, with the whole, with a file, with a signature, with a proof."""

    INDEX = "index"
    BODY = "body"
    KIND = "kind"
    VERSION = "version"
    IDENTIFIER = "identifier"
    LEAF_HASH = "leaf-hash"
    LOG = "log"
    PLACE = "place"
    PREV_SUBJECT = "prev-subject"
    PREV_PRACTICE = "prev-practice"
    TIME = "time"
    SIZE = "size"
    ROOT = "root"
    FORK = "fork"
    ROLLBACK = "rollback"
    MISSING = "missing"
    NOT_A_FILE = "not-a-file"
    LENGTH = "length"
    BUNDLE = "bundle"
    TILE = "tile"
    STRAY = "stray"
    NOTE = "note"
    BASE64 = "base64"
    CHECKPOINT = "checkpoint"
    EXTENSION = "extension"
    ORIGIN = "origin"
    KEY = "key"
    UNKNOWN_KEY = "unknown-key"
    WRONG_KEY = "wrong-key"
    SIGNATURE = "signature"
    COSIGNATURE = "cosignature"
    UNWITNESSED = "unwitnessed"
    PROOF = "proof"
    TIMELINE = "timeline"
    DETAIL = "detail"


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row as it is stored."""

    index: int
    body: bytes
    leaf_hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The head of a log as it is kept: how many entries, and the root over them."""

    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong; `index` is None where it is not one entry."""

    index: int | None
    code: FindingCode
    text: str

    @property
    def is_note(self) -> bool:
        """A clock that stepped back, or a file too many, is worth a look, and no tampering."""
        return self.code in (FindingCode.TIME, FindingCode.STRAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a check.

    `size` counts the entries that were read, and `root` is the hexadecimal root over them; of
    a proof or a timeline, the root that was proved against. `findings` holds the first 1,000;
    `found` counts all. `ok` is True where nothing was found but notes. `checked` says what
    was looked at, `witnesses` who cosigned, and when.
    """

    log: str
    size: int
    root: str
    ok: bool
    found: int
    findings: tuple[Finding, ...]
    not_proved: tuple[str, ...] = NOT_PROVED
    checked: tuple[str, ...] = ()
    witnesses: tuple[str, ...] = ()

    @property
    def first(self) -> Finding | None:
        """The first finding that is no note."""
        return next((finding for finding in self.findings if not finding.is_note), None)


class _FoundError(Exception):
    """Something is so wrong that what comes after it cannot be checked."""

    def __init__(self, code: FindingCode, text: str) -> None:
        super().__init__(code, text)  # both, so that another process can hand it on
        self.code = code

    def __str__(self) -> str:
        return str(self.args[1])


@dataclass(slots=True)
class _Inquiry:
    """What a check has come to so far. A `with` block ends at the first `_FoundError`."""

    log: str = ""
    size: int = 0
    root: bytes = hashlib.sha256().digest()
    kept: list[Finding] = field(default_factory=list)
    found: int = 0
    failed: bool = False
    checked: list[str] = field(default_factory=list)
    witnesses: list[str] = field(default_factory=list)
    not_proved: list[str] = field(default_factory=lambda: [*NOT_PROVED])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if not isinstance(error, _FoundError):
            return False
        self.add(None, error.code, str(error))
        self.not_proved.append(UNREAD)
        return True

    def add(self, index: int | None, code: FindingCode, text: str) -> None:
        """Count a finding. The first failure is kept, however many notes precede it."""
        finding = Finding(index, code, text)
        is_first_failure = not self.failed and not finding.is_note
        self.failed = self.failed or is_first_failure
        self.found += 1
        if is_first_failure or len(self.kept) < KEPT_FINDINGS:
            self.kept.append(finding)

    def report(self) -> Report:
        return Report(
            log=self.log,
            size=self.size,
            root=self.root.hex(),
            ok=not self.failed,
            found=self.found,
            findings=tuple(self.kept),
            not_proved=tuple(self.not_proved),
            checked=tuple(self.checked),
            witnesses=tuple(self.witnesses),
        )


# ---- The form of a body. Source: FORMAT.md, Body.

_KIND_TABLE = """
referral.received PS referral | door request_sha256
referral.rejected P- | codes door request_sha256
referral.cancelled PS referral | door request_sha256 status:cancellation
referral.closed PS referral | reason
decision.made Ps decision delivery? recipient? referral? service? | code effect obligations payload_sha256? policy rule rules stage
decision.previewed Ps recipient? referral? service? | as_of code effect obligations policy rule rules
hold.opened,assigned,overdue PS decision? delivery? referral | code due owner
hold.resolved PS decision? delivery? referral | code resolution
flag.changed PS | as_of flag_source
delivery.queued PS decision delivery recipient referral service | next_at
delivery.released PS decision delivery recipient referral | attempt lease_until payload_sha256
delivery.delivered PS delivery recipient referral | attempt status
delivery.refused PS decision? delivery recipient referral | attempt code phase
delivery.unknown PS delivery recipient referral | attempt next_at phase
delivery.dead_lettered,stopped PS delivery recipient referral | attempt reason
delivery.replayed PS delivery recipient referral | next_at reason
delivery.lease_lapsed,expired PS delivery recipient referral | attempt lease_until
recall.queued PS delivery recipient referral | cause next_at recalled
recall.released PS delivery recipient referral | attempt lease_until payload_sha256
recall.sent PS delivery recipient referral | attempt status
recall.acknowledged PS delivery recipient referral | answer
recall.refused PS delivery recipient referral | attempt code
recall.overdue PS delivery recipient referral | due
redaction.applied PS decision delivery recipient referral | obligations payload_sha256
consent.recorded,superseded,withdrawn,error PS consent | effective_at version
agreement.proposed,signed,widened,renewed,suspended,withdrawn,reinstated,expired P- agreement recipient | agreement_kind document_sha256? effective_at source version
agreement.refused P- agreement recipient | agreement_kind change code effective_at policy rule source version
switch.changed P- | effective_at source switch value version
assurance.changed -- recipient | assured_until? source
withdrawal.acknowledged ps recipient? withdrawal | about cause:withdrawal_cause delivered stopped unknown withdrawn_at
icb.notice.drafted,sent,acknowledged,reinstated P- notice recipient? | letter_sha256 notice_kind
outcome.received PS artefact delivery recipient referral | door outcome payload_sha256
outcome.refused PS delivery recipient referral | code door payload_sha256
report.sight.offered,seen,agreed,objected,released PS artefact recipient referral | payload_sha256
writeback.done PS artefact referral | payload_sha256 route
writeback.refused,fallback PS artefact referral | code route
letter.queued PS artefact decision delivery recipient referral | next_at route row
letter.answered PS artefact delivery recipient referral | code
reminder.opened PS referral reminder | code due owner
reminder.closed PS referral reminder | code resolution
coding.learned P- | code coding_source expires sender version
legal.authorised ps decision? | approvers instrument
breakglass.used PS decision referral | code
record.read Ps consent? referral? | interaction query_sha256 size
audit.read ps | query_sha256 size
audit.exported ps | extent opened root size year
subject.erased PS | authority size
key.rotated -- | new_key_sha256 old_key_sha256?
key.destroyed -- | key
retention.purged -- | before record root? size year?
checkpoint.published -- | key root size year
checkpoint.cosigned -- | root size witness year
checkpoint.refused -- | code size witness year
chain.verify.failed -- | code size year
clock.drift -- | against drift milliseconds
directory.applied -- | added changed ended file_sha256
policy.changed -- | new_sha256 old_sha256?
ledger.verified -- | ok root size
optout.loaded -- | as_of size
outage.began -- endpoint | failures phase
outage.ended -- endpoint | since
token.issued p- | client ods scopes
token.refused p- | code
access.refused p- | code ods scopes
"""
"""Kinds, whom they concern (practice and subject: capital always, small or null, dash never),
the keys of `refs`, the keys of `detail`; `?`: or null; after a colon, a form of another name."""

_UUID = '"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"'
_HASH = '"[0-9a-f]{64}"'
_CODE = '"(?!(?:[A-Za-z_.:|/-]*+[0-9]){10})[A-Za-z0-9_.:|/-]{1,64}+"'
_SCOPE = '"(?!(?:[A-Za-z_.:/*-]*+[0-9]){10})[A-Za-z0-9_.:/*-]{1,64}+"'
_NAME = f"(?:{_UUID}|{_HASH}|{_CODE})"
_ODS = '"(?![0-9]{10}")[A-Z0-9]{3,10}"'
_HANDLE = '"[0-9a-f]{32}"'
_COUNT = "(?:[1-9][0-9]{0,8}+|0)"
_DAY = (
    "(?!0000)(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
_TIME = rf'"{_DAY}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{{6}}Z"'
_LOG = re.compile("[a-z0-9][a-z0-9.-]*(?:/[a-z0-9][a-z0-9._-]*)*/[0-9]{4}")
_MAX_LOG = 96


def _list_of(form: str) -> str:
    return rf"\[(?:{form}(?:,{form}){{0,63}}+)?+\]"


def _words(words: str) -> str:
    return f'"(?:{"|".join(words.split())})"'


def _or_null(form: str) -> str:
    return f"(?:{form}|null)"


def _object(forms: dict[str, str]) -> str:
    return r"\{" + ",".join(f'"{key}":{form}' for key, form in sorted(forms.items())) + r"\}"


_EPOCHS = _object(dict.fromkeys(("practice", "recipient", "subject"), _or_null(_COUNT)))
_FORMS = {
    **dict.fromkeys("artefact consent decision delivery notice recalled referral".split(), _UUID),
    **dict.fromkeys(["reminder", "withdrawal"], _UUID),
    **dict.fromkeys("about actor agreement client endpoint instrument key".split(), _NAME),
    **dict.fromkeys("policy sender service witness".split(), _NAME),
    **dict.fromkeys(["ods", "practice", "recipient"], _ODS),
    **dict.fromkeys("against authority cause code flag_source owner reason".split(), _CODE),
    **dict.fromkeys("record resolution rule".split(), _CODE),
    **dict.fromkeys("codes obligations rules".split(), _list_of(_CODE)),
    **dict.fromkeys("added attempt changed ended idx milliseconds row size".split(), _COUNT),
    **dict.fromkeys("delivered failures stopped unknown version year".split(), _COUNT),
    **dict.fromkeys("as_of before due effective_at lease_until next_at t".split(), _TIME),
    **dict.fromkeys("expires since withdrawn_at".split(), _TIME),
    "assured_until": f'"{_DAY}"',
    **dict.fromkeys("ok opened".split(), "(?:true|false)"),
    **dict.fromkeys(["prev_practice", "prev_subject"], _or_null(_COUNT)),
    "approvers": _list_of(_NAME),
    "scopes": _list_of(_SCOPE),
    "root": _HASH,
    "detail_commit": _or_null(_HASH),
    "epochs": _or_null(_EPOCHS),
    "kind": '"[^"]*"',
    "log": f'"{_LOG.pattern}"',
    "status": "[1-5][0-9]{2}",
    "subject": _HANDLE,
    "v": "[12]",
    "agreement_kind": _words("direct mixed exclusive-secondary"),
    "answer": _words("stopped returned retained"),
    "cancellation": _words("revoked entered-in-error"),
    "change": _words("new widened renewal"),
    "coding_source": _words("lookup learned"),
    "door": _words("rest bars mesh"),
    "drift": _words("ahead behind"),
    "effect": _words("PERMIT HOLD DENY"),
    "extent": _words("log entry subject practice"),
    "interaction": _words("read vread history search"),
    "notice_kind": _words("withdraw-secondary freeze-new write-switch reinstate shared-care"),
    "outcome": _words(
        "accepted booked more-information could-not-contact did-not-attend rejected report closed"
    ),
    "phase": _words("prepare connect no-reply busy refused"),
    "route": _words("update-record document letter"),
    "source": _words("practice import operator"),
    "stage": _words("accept release replay read write-back"),
    "switch": _words(
        "secondary_sharing update_record send_document access_record new_agreements shared_care "
        "advice_and_guidance"
    ),
    "value": _words("on off exclusive-withdrawn"),
    "withdrawal_cause": _words("consent agreement switch assurance"),
}
"""What stands behind each key, as JSON. Keys that end in `_sha256` are hashes."""


def _form_of(key: str) -> str:
    return _HASH if key.endswith("_sha256") else _FORMS[key]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What one kind looks like: whom it concerns, and the form behind each key."""

    whom: str
    refs: dict[str, str]
    detail: dict[str, str]

    def pattern(self) -> str:
        """Return the exact bytes of any body of the kind, of version 1 or 2.

        The conditions in it: a link or a commitment only where there is somebody; the year of
        the log is that of the time; version 2 where its two keys are, and only there.
        """
        practice, subject = map(_party, self.whom, (_ODS, _HANDLE))
        return (
            rf'\{{"actor":{_NAME},"detail":{_object(self.detail)}'
            rf'(,"detail_commit":(?:null|"({_HASH[1:-1]})"),"epochs":{_FORMS["epochs"]})?+'
            rf',"idx":({_COUNT}),"kind":"[a-z._]+","log":"((?:[a-z0-9._-]++/)++([0-9]{{4}}+))"'
            rf',"practice":{practice},"prev_practice":(?:null|(?(6)({_COUNT})|(?!)))'
            rf',"prev_subject":(?:null|({_COUNT})),"refs":{_object(self.refs)}'
            rf',"subject":(?(2)(?!null))(?(8)(?!null)){subject}'
            rf',"t":"((?=\5){_TIME[1:-1]})","v":(?(1)2|1)\}}'
        )


def _party(letter: str, form: str) -> str:
    """Return the form of a practice or a subject: capital always, small or null, dash never."""
    if letter == "-":
        return "(?:((?!))|null)"
    named = f'"({form[1:-1]})"'
    return named if letter.isupper() else _or_null(named)


def _members(words: str) -> dict[str, str]:
    """Return the form behind each key of a column of the table."""
    forms = {}
    for word in words.split():
        key, _, other = word.removesuffix("?").partition(":")
        form = _form_of(other or key)
        forms[key] = _or_null(form) if word.endswith("?") else form
    return forms


def _shapes() -> Iterator[tuple[str, _Shape]]:
    for line in _KIND_TABLE.strip().splitlines():
        kinds, whom, keys = line.split(" ", 2)
        refs, detail = map(_members, keys.split("|"))
        first, *others = kinds.split(",")
        group = first.rpartition(".")[0]
        for kind in (first, *(f"{group}.{other}" for other in others)):
            yield kind, _Shape(whom, refs, detail)


_SHAPES = dict(_shapes())
_TOP_KEYS = {
    1: frozenset(
        "actor detail idx kind log practice prev_practice prev_subject refs subject t v".split()
    )
}
_TOP_KEYS[2] = _TOP_KEYS[1] | {"detail_commit", "epochs"}


# ---- Reading bodies.

_Fields: TypeAlias = tuple[
    bytes, bytes, bytes | None, bytes | None, bytes | None, bytes | None, bytes, bytes | None
]
"""idx, log, practice, prev_practice, prev_subject, subject, t, detail_commit: as they stand."""

_Fault: TypeAlias = tuple[FindingCode, str]
_Fits: TypeAlias = Callable[[bytes], re.Match[bytes] | None]

_KIND_KEY = b'"kind":"'
_PLAIN = bytes(code for code in range(0x21, 0x7F) if code != ord("\\"))
_TEN_DIGITS = re.compile(
    rb"(?<![0-9A-Za-z])[0-9]{3}[-_.:|/]?[0-9]{3}[-_.:|/]?[0-9]{4}(?![0-9A-Za-z])"
)


def _permits_nothing(body: bytes) -> bool:
    lets_go = b'"effect":"PERMIT"' in body and b'"stage":"accept"' not in body
    return lets_go and (b'"delivery":null' in body or b'"payload_sha256":null' in body)


def _holds_nothing(body: bytes) -> bool:
    return b'"decision":null,"delivery":null' in body


def _concerns_nobody(body: bytes) -> bool:
    parts = b',"practice":null,"prev_', b'"refs":{"recipient":null,', b'"subject":null,"t":'
    return all(part in body for part in parts)


def _lacks_a_second(body: bytes) -> bool:
    _, _, approvers = body.partition(b'"approvers":[')
    return len(set(approvers.partition(b"]")[0].split(b","))) < 2  # noqa: PLR2004  # two people


_TOGETHER: dict[bytes, Callable[[bytes], bool]] = {
    b"decision.made": _permits_nothing,
    b"legal.authorised": _lacks_a_second,
    b"withdrawal.acknowledged": _concerns_nobody,
    **dict.fromkeys(
        (b"hold.opened", b"hold.assigned", b"hold.resolved", b"hold.overdue"), _holds_nothing
    ),
}
"""What a body of a kind may not say, though each of its values fits."""


class _FitsByKind(dict[bytes, _Fits]):
    """For each kind, what matches its bodies; compiled when the kind is first met."""

    def __missing__(self, kind: bytes) -> _Fits:
        shape = _SHAPES.get(kind.decode("latin-1"))
        if shape is None:
            return lambda _: None
        fits = re.compile(shape.pattern().encode()).fullmatch
        contradicts = _TOGETHER.get(kind)

        def fits_together(body: bytes) -> re.Match[bytes] | None:
            return None if contradicts and contradicts(body) else fits(body)

        self[kind] = fits_together if contradicts else fits
        return self[kind]


_FITS = _FitsByKind()


def _read_bodies(bodies: Iterable[bytes]) -> list[_Fields | None]:
    """Return the fields of each body that is of a known kind and fits it exactly, else None.

    Not checked here: the exact form of the log's name, that links point backwards, and
    lengths. No value that fits has room for an NHS number, but the log's name has.
    """
    found: list[Any] = []
    for body in bodies:
        start = body.find(_KIND_KEY) + 8
        match = _FITS[body[start : body.find(b'"', start)]](body)
        found.append(match and match.group(3, 4, 6, 7, 8, 9, 10, 2))
    return found


def fault_of(body: bytes) -> tuple[FindingCode, str] | None:
    """Say what is wrong with one body, whatever its place and its links; None if nothing is."""
    return _judge(body)[1]


def _judge(body: bytes) -> tuple[_Fields | None, _Fault | None]:
    """Return the fields where they can be relied on, and what is wrong."""
    if len(body) > MAX_BODY_BYTES:
        return None, (FindingCode.BODY, "it is longer than 2,048 bytes")
    if body.translate(None, _PLAIN):
        text = "it holds a space, a backslash or a character outside visible ASCII"
        return None, (FindingCode.BODY, text)
    if any(map(_is_nhs_number, _TEN_DIGITS.findall(body))):
        return None, (FindingCode.IDENTIFIER, "it holds what is an NHS number by its check digit")
    fields = _read_bodies([body])[0]
    if fields is None:
        return _explain(body)
    text = next(_misplaced(body, fields), "")
    return (None, (FindingCode.BODY, text)) if text else (fields, None)


def _is_nhs_number(found: bytes) -> bool:
    """Check ten digits by modulus 11. Source: NHS Data Dictionary, NHS NUMBER."""
    digits = [int(digit) for digit in found.decode() if digit.isdigit()]
    return sum(digit * (10 - place) for place, digit in enumerate(digits)) % 11 == 0


def _misplaced(body: bytes, fields: _Fields) -> Iterator[str]:
    """Say what is wrong with the place of a body, as the body itself tells it."""
    idx, log, practice, prev_practice, prev_subject, subject, t, commit = fields
    if not _is_log(log.decode()):
        yield "the name of its log is not host, path and year in lower case, or is too long"
    if log[-4:] != t[:4]:
        yield "the year of its log is not that of its time"
    for link, party in ((prev_practice, practice), (prev_subject, subject)):
        if link is not None and party is None:
            yield "it has a link, but names nobody whom it could concern"
        if link is not None and int(link) >= int(idx):
            yield "a link does not point backwards"
    if commit is not None and subject is None:
        yield "it commits to a detail, but names no subject under whose key it could be sealed"
    if len(body) - _place_bytes(body, fields) > MAX_ENTRY_BYTES:
        yield "without its place it is longer than 1,728 bytes"


def _is_log(name: str) -> bool:
    return len(name) <= _MAX_LOG and _LOG.fullmatch(name) is not None


def _place_bytes(body: bytes, fields: _Fields) -> int:
    """Count the bytes of a body that say its place. Version 1 has room for epochs all the same."""
    idx, log, _, prev_practice, prev_subject, _, t, commit = fields
    links = sum(len(link or b"null") for link in (prev_practice, prev_subject))
    place = len('"idx":,"log":"","prev_practice":,"prev_subject":,"t":"","v":2,')
    place += len(idx) + len(log) + links + len(t)
    if body.endswith(b"1}"):
        return place - len('"epochs":null,')
    return place + len('"detail_commit":,') + (len(commit) + 2 if commit else 4)


def _explain(body: bytes) -> tuple[_Fields | None, _Fault]:
    """Say why a body does not fit, as far as that is told cheaply. No value is quoted.

    Fields are returned where it is only the kind that is not known.
    """
    try:
        whole = json.loads(body)
        canonical = _write(whole)
    except (ValueError, RecursionError):
        return None, (FindingCode.BODY, "it is not JSON")
    if canonical != body.decode() or not isinstance(whole, dict):
        text = "it is not one JSON object in canonical form (RFC 8785)"
        return None, (FindingCode.BODY, text)
    version = whole.get("v")
    if type(version) is not int or version not in _TOP_KEYS:
        text = "it is of a version that this verifier does not know: take a later verifier"
        return None, (FindingCode.VERSION, text)
    text = next(_top_faults(whole, _TOP_KEYS[version]), "")
    fields = None if text else _fields_of(whole)
    shape = _SHAPES.get(whole["kind"]) if fields else None
    if fields and not shape:
        text = next(_misplaced(body, fields), "")
    if fields and shape:
        text = next(_shape_faults(whole, shape), "") or next(_misplaced(body, fields), _CONTRADICTS)
    if text:
        return None, (FindingCode.BODY, text)
    return fields, (FindingCode.KIND, "this verifier does not know the kind: take a later one")


_CONTRADICTS = (
    "two of its values do not go together: a PERMIT that lets bytes go names its delivery and "
    "their hash, a hold names a decision or a delivery, and an authorisation two approvers"
)


def _write(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _top_faults(whole: dict[str, Any], keys: frozenset[str]) -> Iterator[str]:
    yield from _key_faults("the body", whole, keys)
    for part in ("refs", "detail"):
        if not isinstance(whole[part], dict):
            yield f"{part} is not an object"
    forms = {key: _form_of(key) for key in keys - {"refs", "detail"}}
    forms |= {key: _or_null(forms[key]) for key in ("practice", "subject")}
    yield from _value_faults("", whole, forms)


def _shape_faults(whole: dict[str, Any], shape: _Shape) -> Iterator[str]:
    for part, forms in (("refs", shape.refs), ("detail", shape.detail)):
        yield from _key_faults(part, whole[part], forms.keys())
        yield from _value_faults(f"{part}.", whole[part], forms)
    forms = dict(
        zip(("practice", "subject"), map(_party, shape.whom, (_ODS, _HANDLE)), strict=True)
    )
    yield from _value_faults("", whole, forms)


def _key_faults(where: str, found: dict[str, Any], keys: AbstractSet[str]) -> Iterator[str]:
    for key in sorted(keys - found.keys()):
        yield f"{where} lacks {key}"
    if found.keys() - keys:
        yield f"{where} has a key too many"


def _value_faults(where: str, found: dict[str, Any], forms: dict[str, str]) -> Iterator[str]:
    for key, form in forms.items():
        if not re.fullmatch(form, _write(found[key])):
            yield f"the value of {where}{key} does not fit its form"


def _fields_of(whole: dict[str, Any]) -> _Fields:
    keys = "idx log practice prev_practice prev_subject subject t detail_commit".split()
    values = (whole.get(key) for key in keys)
    fields: Any = tuple(None if each is None else str(each).encode() for each in values)
    found: _Fields = fields
    return found


# ---- The tree, and the walk through a log.


def _digest(bodies: Sequence[bytes]) -> tuple[list[bytes], list[_Fields | None]]:
    """Return the leaf hashes of these bodies, and the fields of those that are quickly read."""
    sha256 = hashlib.sha256
    leaves = [sha256(b"\x00" + body).digest() for body in bodies]
    if max(map(len, bodies), default=0) > MAX_ENTRY_BYTES:
        return leaves, [None] * len(bodies)
    return leaves, _read_bodies(bodies)


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def _join(hashes: Sequence[bytes]) -> bytes:
    """Return the root over neighbouring hashes; the last may stand for fewer leaves."""
    sha256 = hashlib.sha256
    while len(hashes) > 1:
        row, odd = b"".join(hashes), len(hashes) % 2
        ends = range(0, len(row) - 32 * odd, 64)
        joined = [sha256(b"\x01" + row[end : end + 64]).digest() for end in ends]
        hashes = [*joined, hashes[-1]] if odd else joined
    return hashes[0]


@dataclass(slots=True)
class _Tree:
    """A tree while it grows: of each level of tiles, how many are full, and the one that is not."""

    full: list[int] = field(default_factory=lambda: [0])
    open: list[list[bytes]] = field(default_factory=lambda: [[]])

    @property
    def size(self) -> int:
        return self.full[0] * TILE_WIDTH + len(self.open[0])

    def add(self, hashes: list[bytes], level: int = 0) -> Iterator[tuple[int, int, list[bytes]]]:
        """Take in hashes of one level, at most to the end of a tile; yield each tile that fills."""
        if level == len(self.open):
            self.full.append(0)
            self.open.append([])
        tile = self.open[level]
        tile += hashes
        if len(tile) == TILE_WIDTH:
            self.open[level] = []
            self.full[level] += 1
            yield level, self.full[level] - 1, tile
            yield from self.add([_join(tile)], level + 1)

    def partial(self) -> Iterator[tuple[int, int, list[bytes]]]:
        """Yield the tile of each level that is not full, unless it is empty."""
        for level, tile in enumerate(self.open):
            if tile:
                yield level, self.full[level], tile

    def root(self, more: Sequence[bytes] = ()) -> bytes:
        """Return the root over all leaves, and over `more` after them, within the same tile."""
        below: list[bytes] = [*more]
        for tile in self.open:
            hashes = [*tile, *below]
            below = [_join(hashes)] if hashes else []
        return below[0] if below else hashlib.sha256().digest()


@dataclass(slots=True)
class _Walk:
    """Where the walk through a log stands."""

    log: str
    inquiry: _Inquiry
    tree: _Tree = field(default_factory=_Tree)
    latest: bytes = b""
    on_subject: dict[bytes, bytes] = field(default_factory=dict)
    for_practice: dict[bytes, bytes] = field(default_factory=dict)
    fresh: list[tuple[int, int, FindingCode, str]] = field(default_factory=list)
    known_log: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        name = self.log.encode()
        has_number = any(map(_is_nhs_number, _TEN_DIGITS.findall(name)))
        self.known_log = name if _is_log(self.log) and not has_number else None

    def take(
        self,
        indexes: Sequence[int],
        fields: list[_Fields | None],
        bodies: Callable[[], Sequence[bytes]],
    ) -> None:
        """Check the entries that come next; `bodies` is asked for only where one looks wrong."""
        places = [b"%d" % index for index in indexes]
        if not self._are_plain(places, fields):
            fields = list(map(self.examine, range(len(places)), indexes, bodies()))
        self._follow_times(indexes, fields)
        self._follow_links(places, fields)
        self.settle()

    def settle(self) -> None:
        """Hand the findings on, in the order of the entries."""
        for _, index, code, text in sorted(self.fresh, key=lambda each: each[0]):
            self.inquiry.add(index, code, text)
        self.fresh.clear()

    def _are_plain(self, places: list[bytes], fields: list[_Fields | None]) -> bool:
        """Say whether all are readable and in their place: all at once, for that is quick."""
        readable = [each for each in fields if each]
        return (
            len(readable) == len(places)
            and [each[0] for each in readable] == places
            and {each[1] for each in readable} == {self.known_log}
        )

    def examine(self, at: int, index: int, body: bytes) -> _Fields | None:
        """Say what is wrong with one body here; return its fields if they can be relied on."""
        fields, fault = _judge(body)
        if fault:
            self.fresh.append((at, index, *fault))
        if fields and fields[1] != self.log.encode():
            self.fresh.append((at, index, FindingCode.LOG, "the body belongs to another log"))
        if fields and int(fields[0]) != index:
            text = f"the body was sealed for index {int(fields[0])}"
            self.fresh.append((at, index, FindingCode.PLACE, text))
        return fields

    def _follow_times(self, indexes: Sequence[int], fields: list[_Fields | None]) -> None:
        times = [each[6] for each in fields if each]
        if times == sorted(times) and times and times[0] >= self.latest:
            self.latest = times[-1]
            return
        for at, each in enumerate(fields):
            if each and each[6] < self.latest:
                behind = _instant(self.latest) - _instant(each[6])
                if behind > CLOCK_TOLERANCE:
                    seconds = behind.total_seconds()
                    text = f"the time lies {seconds:.0f} seconds before that of an earlier entry"
                    self.fresh.append((at, indexes[at], FindingCode.TIME, text))
            elif each:
                self.latest = each[6]

    def _follow_links(self, places: list[bytes], fields: list[_Fields | None]) -> None:
        on_subject, for_practice = self.on_subject, self.for_practice
        for at, (place, each) in enumerate(zip(places, fields, strict=True)):
            if each is None:
                continue
            _, _, practice, prev_practice, prev_subject, subject, _, _ = each
            if subject is not None:
                last = on_subject.get(subject)
                on_subject[subject] = place
                if last != prev_subject:
                    text = _wrong_link("on this subject", prev_subject, last)
                    self.fresh.append((at, int(place), FindingCode.PREV_SUBJECT, text))
            if practice is not None:
                last = for_practice.get(practice)
                for_practice[practice] = place
                if last != prev_practice:
                    text = _wrong_link("for this practice", prev_practice, last)
                    self.fresh.append((at, int(place), FindingCode.PREV_PRACTICE, text))


def _instant(t: bytes) -> datetime:
    return datetime.fromisoformat(t.decode())


def _wrong_link(whose: str, said: bytes | None, last: bytes | None) -> str:
    names = "no entry" if said is None else f"entry {int(said)}"
    found = "there is none" if last is None else f"it is entry {int(last)}"
    return f"names {names} as the one before it {whose}; among those that can be read, {found}"


def verify_entries(
    rows: Iterable[LedgerRow],
    *,
    log: str,
    head: Head,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Check a whole log, row by row, and then its head.

    For each row:

    1. Its index follows the one before.
    2. Its stored leaf hash is that of its body.
    3. Its body is the exact canonical form of an entry of a known kind.
    4. The body names this log and this index.
    5. Its links name the last entry on the same subject and for the same practice.
    6. Its time does not lie more than two seconds before an earlier one (a note only).

    Then: size and root over all bodies are those of the head.

    `progress` is called with the number of rows read, now and then, and at the end.
    """
    inquiry = _Inquiry(log=log)
    walk, following, rows = _Walk(log, inquiry), 0, iter(rows)
    while some := list(islice(rows, TILE_WIDTH)):
        bodies = [row.body for row in some]
        leaves, fields = _digest(bodies)
        for at, (row, leaf) in enumerate(zip(some, leaves, strict=True)):
            if row.index != following:
                text = f"expected index {following}: a row is missing, repeated or out of order"
                walk.fresh.append((at, row.index, FindingCode.INDEX, text))
            following = row.index + 1
            if row.leaf_hash != leaf:
                text = "the stored leaf hash is not the hash of the stored body"
                walk.fresh.append((at, row.index, FindingCode.LEAF_HASH, text))
        walk.take([row.index for row in some], fields, partial(_same, bodies))
        list(walk.tree.add(leaves))
        _tell(progress, walk.tree.size)
    inquiry.size, inquiry.root = walk.tree.size, walk.tree.root()
    if inquiry.size != head.size:
        text = f"the head counts {head.size} entries; {inquiry.size} were read"
        inquiry.add(None, FindingCode.SIZE, text)
    if inquiry.root != head.root:
        text = "the root over all entries is not the root of the head"
        inquiry.add(None, FindingCode.ROOT, text)
    if progress:
        progress(inquiry.size)
    inquiry.checked.append(_read_entries(inquiry.size))
    return inquiry.report()


def _same(bodies: list[bytes]) -> list[bytes]:
    return bodies


def _tell(progress: Callable[[int], None] | None, size: int) -> None:
    if progress and size % PROGRESS_EVERY == 0:
        progress(size)


def _read_entries(size: int) -> str:
    return f"{size:,} entries: canonical form, hashes, links"


# ---- Signed notes and checkpoints.


@dataclass(frozen=True, slots=True)
class _Key:
    """A key of the log or of a witness, and the 4 bytes by which signature lines name it."""

    name: str
    public: bytes
    id: bytes


@dataclass(frozen=True, slots=True)
class _Checkpoint:
    """What a signed checkpoint says; `text` is what was signed."""

    text: str
    origin: str
    size: int
    root: bytes


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_799  # seconds: the end of the year 9999
_BAD_IN_NAME = re.compile(r"[\s+\x00-\x1f]")
_SIZE_FORM = re.compile("0|[1-9][0-9]{0,18}")


def _read_key(vkey: str, algorithm: int) -> _Key:
    """Read a verifier key, `name+id+base64`. Source: c2sp.org/signed-note, Verifier keys.

    Raises:
        ValueError: it is not one, is of another type, or its id is not its own.
    """
    name, _, rest = vkey.strip().partition("+")
    key_id, _, encoded = rest.partition("+")
    try:
        key = _decode(encoded)
    except _FoundError:
        key = b""
    if not name or _BAD_IN_NAME.search(name) or len(key) != 33 or key[0] != algorithm:  # noqa: PLR2004  # a type and 32 bytes
        whose = {_ED25519: "a log (type 1)", _COSIGNATURE: "a witness (type 4)"}[algorithm]
        message = f"a verifier key of {whose} is name+id+base64, on one line: this is none"
        raise ValueError(message)
    own_id = hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]
    if own_id.hex() != key_id:
        message = "the id in the verifier key is not that of its name and key: copy it once more"
        raise ValueError(message)
    return _Key(name, key[1:], own_id)


def _decode(text: str) -> bytes:
    """Decode base64 in its one canonical spelling. Source: RFC 4648, section 4."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except ValueError:
        decoded = b""
    if not text or base64.b64encode(decoded).decode() != text:
        raise _FoundError(FindingCode.BASE64, "it holds what is not base64 in canonical form")
    return decoded


def _open_note(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """Return the text of a note, and its signatures: name, key id, value. None is verified."""
    try:
        above, gap, below = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        _refuse("it is not UTF-8")
    lines = below.split("\n")
    for wrong, text in (
        (len(note) > MAX_NOTE_BYTES, f"it is longer than {MAX_NOTE_BYTES:,} bytes"),
        (re.search(rb"[\x00-\x09\x0b-\x1f]", note), "it holds a control character"),
        (not note.endswith(b"\n"), "it does not end with a line end: it was cut off"),
        (not gap or not below, "it lacks a blank line with signatures under it"),
        (len(lines) > MAX_SIGNATURES + 1, f"it has more than {MAX_SIGNATURES} signatures"),
    ):
        if wrong:
            _refuse(text)
    return f"{above}\n", [_open_line(line) for line in lines[:-1]]


def _open_line(line: str) -> tuple[str, bytes, bytes]:
    dash, name, encoded = [*line.split(" "), "", "", ""][:3]
    if dash != "\u2014" or line.count(" ") != 2 or not name or _BAD_IN_NAME.search(name):  # noqa: PLR2004  # three words
        _refuse("a signature line is not an em dash, a key name and base64")
    value = _decode(encoded)
    if len(value) <= 4:  # noqa: PLR2004  # the key id
        _refuse("a signature line holds no signature after the key id")
    return name, value[:4], value[4:]


def _refuse(text: str) -> NoReturn:
    raise _FoundError(FindingCode.NOTE, text)


def _read_checkpoint(text: str) -> _Checkpoint:
    """Read the three lines that are signed. Source: c2sp.org/tlog-checkpoint, Note text."""
    origin, size, root, *more = [*text.removesuffix("\n").split("\n"), "", ""]
    if more[:-2]:
        raise _FoundError(FindingCode.EXTENSION, "it has lines after its root; ours never has")
    if not _SIZE_FORM.fullmatch(size):
        text = "its second line is not a size in decimal without leading zeroes"
        raise _FoundError(FindingCode.CHECKPOINT, text)
    decoded = _decode(root)
    if len(decoded) != 32:  # noqa: PLR2004  # SHA-256
        raise _FoundError(FindingCode.CHECKPOINT, "its third line is not a hash of 32 bytes")
    return _Checkpoint(text, origin, int(size), decoded)


def _holds(key: _Key, signature: bytes, message: bytes) -> bool:
    """Say whether an Ed25519 signature holds. Source: RFC 8032."""
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  # only where it is needed
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415  # as above
        Ed25519PublicKey,
    )

    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Trust:
    """The keys that somebody trusts: the log's, and those of witnesses who must have signed."""

    log: _Key
    witnesses: tuple[_Key, ...]

    @classmethod
    def of(cls, vkey: str, witnesses: Sequence[str]) -> Self:
        read = (_read_key(each, _COSIGNATURE) for each in witnesses)
        return cls(_read_key(vkey, _ED25519), tuple(read))

    def open(self, note: bytes, what: str) -> tuple[_Checkpoint, list[tuple[str, bytes, bytes]]]:
        """Return a checkpoint that the log signed, and its signature lines.

        Raises:
            _FoundError: it is not in the exact form, or the log's key did not sign it.
        """
        try:
            text, signatures = _open_note(note)
            checkpoint = _read_checkpoint(text)
            self._check_log(checkpoint, signatures)
        except _FoundError as error:
            raise _FoundError(error.code, f"{what}: {error}") from None
        return checkpoint, signatures

    def _check_log(
        self, checkpoint: _Checkpoint, signatures: list[tuple[str, bytes, bytes]]
    ) -> None:
        if checkpoint.origin != self.log.name:
            text = "its first line names another log than the key given: take the key of this log"
            raise _FoundError(FindingCode.ORIGIN, text)
        named = [each for each in signatures if each[0] == self.log.name]
        ours = [value for _, key_id, value in named if key_id == self.log.id]
        if not named:
            text = "none of its signatures is by the log; those of others were not looked at"
            raise _FoundError(FindingCode.UNKNOWN_KEY, text)
        if not ours:
            text = "it is signed in the log's name, but by another key than the one given"
            raise _FoundError(FindingCode.WRONG_KEY, text)
        if not all(_holds(self.log, value, checkpoint.text.encode()) for value in ours):
            text = "the log's signature does not hold: the text was changed, or another signed it"
            raise _FoundError(FindingCode.SIGNATURE, text)

    def accept(self, note: bytes, what: str, inquiry: _Inquiry) -> _Checkpoint:
        """Return a checkpoint that the log signed; say in the report who signed and cosigned."""
        checkpoint, signatures = self.open(note, what)
        inquiry.log = checkpoint.origin
        inquiry.checked.append(
            f"{what}: signature by {self.log.name}+{self.log.id.hex()} "
            f"on a checkpoint of size {checkpoint.size:,}"
        )
        for witness in self.witnesses:
            values = [value for *key, value in signatures if key == [witness.name, witness.id]]
            if not values:
                text = f"{what}: {witness.name} has not cosigned it: ask for one that it has"
                inquiry.add(None, FindingCode.UNWITNESSED, text)
            for value in values:
                _check_cosignature(checkpoint, witness, value, inquiry)
        return checkpoint


def _check_cosignature(
    checkpoint: _Checkpoint, witness: _Key, value: bytes, inquiry: _Inquiry
) -> None:
    """Source: c2sp.org/tlog-cosignature, Ed25519 signed message."""
    seconds = int.from_bytes(value[:8], "big")
    message = f"cosignature/v1\ntime {seconds}\n{checkpoint.text}".encode()
    if seconds > _LATEST or not _holds(witness, value[8:], message):
        text = f"the cosignature by {witness.name} does not hold: it is of another text or key"
        inquiry.add(None, FindingCode.COSIGNATURE, text)
        return
    when = (_EPOCH + timedelta(seconds=seconds)).isoformat()
    inquiry.witnesses.append(f"{witness.name} at {when}, size {checkpoint.size:,}")


# ---- Files.


_TILE_PATH = re.compile(
    r"tile/(?:entries|[0-9]|[1-5][0-9]|6[0-3])/(?:x[0-9]{3}/){0,5}[0-9]{3}"
    r"(?:\.p/(?:[1-9][0-9]?|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)
_TILE_FOLDER = re.compile(
    r"tile(?:/(?:entries|[0-9]|[1-5][0-9]|6[0-3])(?:/x[0-9]{3}){0,5}(?:/[0-9]{3}\.p)?)?"
)
_BESIDE = re.compile(r"vkey|README[^/]*|proof|detail")


class _Files:
    """The files of one folder: found once, read with a limit, and never through a link."""

    def __init__(self, folder: Path, is_folder: Callable[[str], object]) -> None:
        self.files: dict[str, Path] = {}
        self.others: set[str] = set()
        ahead = [("", folder)]
        while ahead:
            above, path = ahead.pop()
            for child in sorted(path.iterdir()):
                name = above + child.name
                if child.is_symlink():
                    self.others.add(name)
                elif child.is_file():
                    self.files[name] = child
                elif child.is_dir() and is_folder(name):
                    ahead.append((f"{name}/", child))
                else:
                    self.others.add(name)
        self.unread = set(self.files)

    def read(self, name: str, limit: int) -> bytes:
        """Return what is in a file.

        Raises:
            _FoundError: it is missing, is no plain file, is too large, or cannot be read.
        """
        if self.others and any(part in self.others for part in _parts(name)):
            text = f"{name} is a link, a folder or a device, or stands in one that is not followed"
            raise _FoundError(FindingCode.NOT_A_FILE, text)
        if name not in self.files:
            raise _FoundError(FindingCode.MISSING, f"{name} is missing: ask for a whole copy")
        self.unread.discard(name)
        try:
            with self.files[name].open("rb") as file:
                found = file.read(min(limit, self.files[name].stat().st_size) + 1)
        except OSError:
            raise _FoundError(FindingCode.MISSING, f"{name} cannot be read") from None
        if len(found) > limit:
            text = f"{name} is longer than {limit:,} bytes, which no such file can be"
            raise _FoundError(FindingCode.LENGTH, text)
        return found

    def note_strays(self, inquiry: _Inquiry) -> None:
        for name in sorted(
            name for name in self.unread | self.others if not _BESIDE.fullmatch(name)
        ):
            text = f"{name!a} is no part of this and was not read"
            inquiry.add(None, FindingCode.STRAY, text)

    def trust(self, vkey: str | None, witnesses: Sequence[str], inquiry: _Inquiry) -> _Trust:
        """Read the keys; where none of the log is given, the one that lies in the folder."""
        if vkey is not None:
            return _Trust.of(vkey, witnesses)
        inquiry.not_proved.append(KEY_CAME_ALONG)
        found = self.read("vkey", MAX_NOTE_BYTES).decode(errors="replace")
        try:
            _read_key(found, _ED25519)
        except ValueError as error:
            raise _FoundError(FindingCode.KEY, f"vkey: {error}") from None
        return _Trust.of(found, witnesses)


def _parts(name: str) -> list[str]:
    """Return the name and every folder above it."""
    return [name, *map(str, PurePosixPath(name).parents)]


# ---- Exports.


def verify_export(
    folder: Path,
    *,
    vkey: str | None,
    witnesses: Sequence[str] = (),
    older: str | None = None,
    progress: Callable[[int], None] | None = None,
    processes: int = 1,
) -> Report:
    """Check an export: the checkpoint, every bundle of entries, every tile of hashes.

    1. The checkpoint is in its exact form, and signed by the log's key; the witnesses given
       have cosigned it.
    2. Each bundle and tile of a tree of that size is there, with nothing missing or over.
    3. Each entry is in canonical form, in its place, and its links are true.
    4. Each tile, at every level, holds what the entries hash to; so does the checkpoint.
    5. `older`, an earlier signed checkpoint, is one that the same entries led through.

    `vkey` None: the key in the folder is taken, and the report says what that is worth.
    It stops at the first file that is missing or cannot be read.

    Raises:
        ValueError: a key given is none.
        OSError: the folder cannot be listed.
    """
    with _Inquiry() as inquiry:
        files = _Files(folder, _TILE_FOLDER.fullmatch)
        trust = files.trust(vkey, witnesses, inquiry)
        checkpoint = trust.accept(files.read("checkpoint", MAX_NOTE_BYTES), "checkpoint", inquiry)
        earlier = trust.open(older.encode(), "older checkpoint")[0] if older is not None else None
        walk = _Walk(checkpoint.origin, inquiry)
        _hash_export(files, checkpoint, walk, earlier, progress, processes)
        _compare_heads(checkpoint, earlier, walk)
        files.note_strays(inquiry)
    return inquiry.report()


def _hash_export(
    files: _Files,
    checkpoint: _Checkpoint,
    walk: _Walk,
    earlier: _Checkpoint | None,
    progress: Callable[[int], None] | None,
    processes: int,
) -> None:
    """Read every bundle and tile; hold each tile against what the entries hash to."""
    tree, inquiry = walk.tree, walk.inquiry
    for bundle, (leaves, fields) in _digests(files, checkpoint.size, processes):
        indexes = range(tree.size, tree.size + bundle.width)
        walk.take(indexes, fields, bundle.bodies)
        if earlier and indexes.start < earlier.size <= indexes.stop:
            _compare_older(earlier, tree.root(leaves[: earlier.size - indexes.start]), inquiry)
        for tile in tree.add(leaves):
            _compare_tile(files, *tile, inquiry)
        inquiry.size = tree.size
        _tell(progress, tree.size)
    for tile in tree.partial():
        _compare_tile(files, *tile, inquiry)
    if progress:
        progress(tree.size)
    inquiry.root = tree.root()
    tiles = sum(tree.full) + len(list(tree.partial()))
    inquiry.checked += [_read_entries(tree.size), f"tiles of hashes, every level: {tiles:,}"]


@dataclass(frozen=True, slots=True)
class _Bundle:
    """One file of entries, as it was read."""

    path: str
    content: bytes
    width: int

    def bodies(self) -> list[bytes]:
        """Return the bodies of one bundle: each stands behind its length in two bytes."""
        content, last, start, found = self.content, len(self.content) - 1, 0, []
        while start < last:
            end = start + 2 + (content[start] << 8) + content[start + 1]
            found.append(content[start + 2 : end])
            start = end
        if start != len(content):
            text = f"{self.path}: the last length leads beyond the end of the file"
            raise _FoundError(FindingCode.BUNDLE, text)
        if len(found) != self.width:
            text = f"{self.path} holds {len(found)} entries where {self.width} belong"
            raise _FoundError(FindingCode.BUNDLE, text)
        return found

    def digest(self) -> tuple[list[bytes], list[_Fields | None]]:
        return _digest(self.bodies())


def _bundles(files: _Files, size: int) -> Iterator[_Bundle]:
    for first in range(0, size, TILE_WIDTH):
        width = min(TILE_WIDTH, size - first)
        path = _tile_path("entries", first // TILE_WIDTH, width)
        yield _Bundle(path, files.read(path, MAX_BUNDLE_BYTES), width)


def _digests(
    files: _Files, size: int, processes: int
) -> Iterator[tuple[_Bundle, tuple[list[bytes], list[_Fields | None]]]]:
    """Read and digest every bundle in order; several at once where that is worth it."""
    bundles = _bundles(files, size)
    if processes == 1 or size < SHARED_FROM:
        yield from ((bundle, bundle.digest()) for bundle in bundles)
        return
    with ProcessPoolExecutor(processes) as pool:
        ahead: deque[tuple[_Bundle, Future[tuple[list[bytes], list[_Fields | None]]]]] = deque()
        for bundle in bundles:
            ahead.append((bundle, pool.submit(bundle.digest)))
            if len(ahead) > AHEAD * processes:
                first, digest = ahead.popleft()
                yield first, digest.result()
        yield from ((bundle, digest.result()) for bundle, digest in ahead)


def _tile_path(level: str, index: int, width: int) -> str:
    """Name a file. Source: c2sp.org/tlog-tiles, Merkle Tree."""
    digits = f"{index:,}".split(",")
    groups = [f"x{group:0>3}" for group in digits[:-1]]
    partial = "" if width == TILE_WIDTH else f".p/{width}"
    return "/".join(["tile", level, *groups, f"{digits[-1]:0>3}"]) + partial


def _compare_tile(
    files: _Files, level: int, index: int, hashes: list[bytes], inquiry: _Inquiry
) -> None:
    path = _tile_path(str(level), index, len(hashes))
    found, expected = files.read(path, 32 * TILE_WIDTH), b"".join(hashes)
    if len(found) != len(expected):
        text = f"{path} is {len(found):,} bytes long; {len(hashes)} hashes are {len(expected):,}"
        inquiry.add(None, FindingCode.LENGTH, text)
    elif found != expected:
        wrong = next(n for n in range(len(hashes)) if found[32 * n : 32 * n + 32] != hashes[n])
        text = f"{path}: hash {wrong} is not what the entries under it hash to"
        inquiry.add(None, FindingCode.TILE, text)


def _compare_older(earlier: _Checkpoint, root: bytes, inquiry: _Inquiry) -> None:
    if earlier.root == root:
        inquiry.checked.append(f"consistent with the older checkpoint of size {earlier.size:,}")
    else:
        text = (
            f"the first {earlier.size:,} entries are not those of the older checkpoint, "
            "which the log signed too: history was rewritten"
        )
        inquiry.add(None, FindingCode.FORK, text)


def _compare_heads(checkpoint: _Checkpoint, earlier: _Checkpoint | None, walk: _Walk) -> None:
    inquiry = walk.inquiry
    if inquiry.root != checkpoint.root:
        text = "the root over all entries is not the root of the checkpoint"
        inquiry.add(None, FindingCode.ROOT, text)
    if earlier and earlier.size > checkpoint.size:
        text = (
            f"the older checkpoint counts {earlier.size:,} entries, this one {checkpoint.size:,}: "
            "the log was cut, or the two were given in the wrong order"
        )
        inquiry.add(None, FindingCode.ROLLBACK, text)
    elif earlier and not earlier.size:
        _compare_older(earlier, hashlib.sha256().digest(), inquiry)


# ---- Proofs and timelines.


def verify_proof(body: bytes, proof: str, *, vkey: str, witnesses: Sequence[str] = ()) -> Report:
    """Check that one entry is in the log, from a proof that carries its checkpoint.

    Source: c2sp.org/tlog-proof.

    Raises:
        ValueError: a key given is none.
    """
    trust = _Trust.of(vkey, witnesses)
    with _Inquiry() as inquiry:
        _prove(body, proof.encode(), "proof", _Proofs(trust, inquiry))
        inquiry.checked.append("1 entry: canonical form, and that it is in the log")
    return inquiry.report()


@dataclass(slots=True)
class _Proofs:
    """Proofs against one checkpoint: each distinct note is opened once, and all must agree."""

    trust: _Trust
    inquiry: _Inquiry
    notes: dict[bytes, _Checkpoint] = field(default_factory=dict)

    def checkpoint(self, note: bytes, what: str) -> _Checkpoint:
        if note not in self.notes:
            self.notes[note] = self.trust.accept(note, what, self.inquiry)
        first = next(iter(self.notes.values()))
        if self.notes[note].text != first.text:
            text = f"{what}: it is against another checkpoint than the proofs before it"
            raise _FoundError(FindingCode.PROOF, text)
        self.inquiry.root = first.root
        return first


def _prove(body: bytes, proof: bytes, what: str, proofs: _Proofs) -> tuple[int, _Fields | None]:
    """Check one proof; return the index of the entry, and its fields if they can be relied on."""
    head, _, note = proof.partition(b"\n\n")
    index, path = _open_proof(head, what)
    checkpoint = proofs.checkpoint(note, what)
    if (
        _climb(hashlib.sha256(b"\x00" + body).digest(), index, checkpoint.size, path)
        != checkpoint.root
    ):
        text = f"{what}: it does not lead from this entry at this place to the signed root"
        proofs.inquiry.add(index, FindingCode.PROOF, text)
    walk = _Walk(checkpoint.origin, proofs.inquiry)
    fields = walk.examine(0, index, body)
    walk.settle()
    proofs.inquiry.size += 1
    return index, fields


def _open_proof(head: bytes, what: str) -> tuple[int, list[bytes]]:
    """Read the lines above the checkpoint: header, extra data perhaps, index, hashes."""
    lines = head.decode(errors="replace").split("\n")
    if lines[1:] and lines[1].startswith("extra "):
        del lines[1]
    header, index, *path = [*lines, ""][: max(len(lines), 2)]
    if header != "c2sp.org/tlog-proof@v1":
        text = f"{what}: its first line is not that of a proof of version 1"
        raise _FoundError(FindingCode.PROOF, text)
    if not index.startswith("index ") or not _SIZE_FORM.fullmatch(index[6:]):
        text = f"{what}: it lacks the line with the index, in decimal without leading zeroes"
        raise _FoundError(FindingCode.PROOF, text)
    try:
        hashes = [_decode(line) for line in path[: MAX_PATH + 1]]
    except _FoundError as error:
        raise _FoundError(error.code, f"{what}: {error}") from None
    if len(hashes) > MAX_PATH or any(len(each) != 32 for each in hashes):  # noqa: PLR2004  # SHA-256
        text = f"{what}: its path is not at most {MAX_PATH} hashes of 32 bytes"
        raise _FoundError(FindingCode.PROOF, text)
    return int(index[6:]), hashes


def _climb(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """Return the root that a path leads to, or None where it is too long or too short.

    The sizes of the subtrees tell on which side each hash belongs: those that lie left of the
    leaf and right of it, down from the root. Source: RFC 6962, section 2.1.1.
    """
    sides, first = [], 0
    while size > 1:
        half = 1 << (size - 1).bit_length() - 1
        is_right = index - first >= half
        sides.append(is_right)
        first, size = (first + half, size - half) if is_right else (first, half)
    if len(sides) != len(path) or index != first:
        return None
    for is_right, sibling in zip(reversed(sides), path, strict=True):
        leaf = _node(sibling, leaf) if is_right else _node(leaf, sibling)
    return leaf


def open_detail(body: bytes, salt: bytes, detail: bytes) -> bool:
    """Say whether a disclosed detail is what the entry committed to when it was written."""
    fields, _ = _judge(body)
    commit = fields[7] if fields else None
    found = hashlib.sha256(salt + detail).hexdigest().encode()
    return len(salt) == SALT_BYTES and commit == found


_ENTRY_FILE = re.compile(r"(0|[1-9][0-9]{0,8})\.json")


def verify_timeline(folder: Path, *, vkey: str | None, witnesses: Sequence[str] = ()) -> Report:
    """Check everything that the log holds on one subject, or for one practice, up to a moment.

    1. Each `<index>.json` is proved by its `<index>.tlog-proof`, all by one checkpoint.
    2. Each is on the subject or for the practice that the file `timeline` names.
    3. From the newest, the links lead through exactly these entries, to none before them.
    4. Each `<index>.detail` (salt, then text) is what its entry committed to.

    Raises:
        ValueError: a key given is none.
        OSError: the folder cannot be listed.
    """
    with _Inquiry() as inquiry:
        files = _Files(folder, lambda _: False)
        proofs = _Proofs(files.trust(vkey, witnesses, inquiry), inquiry)
        which, party = _open_timeline(files)
        indexes = sorted(int(m[1]) for m in map(_ENTRY_FILE.fullmatch, files.files) if m)
        if not indexes:
            raise _FoundError(
                FindingCode.MISSING, "there is no entry, such as 0.json, in the folder"
            )
        entries = [(index, _prove_file(files, index, proofs)) for index in indexes]
        _follow_timeline(entries, which, party, inquiry)
        files.note_strays(inquiry)
        inquiry.checked.append(
            f"{len(entries):,} entries: each in the log, and together all that it holds "
            f"on this {which} up to entry {indexes[-1]}"
        )
        inquiry.not_proved.append(
            f"What came after entry {indexes[-1]}: a later entry on this {which} may exist, "
            "under this checkpoint too."
        )
    return inquiry.report()


def _open_timeline(files: _Files) -> tuple[str, bytes]:
    """Return `subject` or `practice`, and its name."""
    line = files.read("timeline", MAX_NOTE_BYTES).decode(errors="replace")
    which, _, party = line.removesuffix("\n").partition(" ")
    form = {"subject": _HANDLE, "practice": _ODS}.get(which, "(?!)")
    if line != f"{which} {party}\n" or not re.fullmatch(form, f'"{party}"'):
        text = "timeline is not one line: `subject` and a handle, or `practice` and an ODS code"
        raise _FoundError(FindingCode.TIMELINE, text)
    return which, party.encode()


def _prove_file(files: _Files, index: int, proofs: _Proofs) -> _Fields | None:
    body = files.read(f"{index}.json", 0xFFFF)
    what = f"{index}.tlog-proof"
    proved, fields = _prove(body, files.read(what, 2 * MAX_NOTE_BYTES), what, proofs)
    if proved != index:
        text = f"{what} is of entry {proved}"
        proofs.inquiry.add(index, FindingCode.TIMELINE, text)
    if f"{index}.detail" in files.files:
        opened = files.read(f"{index}.detail", MAX_DETAIL_BYTES)
        if open_detail(body, opened[:SALT_BYTES], opened[SALT_BYTES:]):
            proofs.inquiry.checked.append(f"{index}.detail is what the entry committed to")
        else:
            text = f"{index}.detail is not what the entry committed to"
            proofs.inquiry.add(index, FindingCode.DETAIL, text)
    return fields


def _follow_timeline(
    entries: list[tuple[int, _Fields | None]], which: str, party: bytes, inquiry: _Inquiry
) -> None:
    before = None
    for index, fields in entries:
        if fields:
            _, _, practice, prev_practice, prev_subject, subject, _, _ = fields
            own, link = (subject, prev_subject) if which == "subject" else (practice, prev_practice)
            if own != party:
                text = f"the entry is not on the {which} that the file `timeline` names"
                inquiry.add(index, FindingCode.TIMELINE, text)
            elif link != before:
                text = f"{_wrong_link(f'on this {which}', link, before)}: the timeline has a gap"
                inquiry.add(index, FindingCode.TIMELINE, text)
        before = b"%d" % index


# ---- The command line.


def main(argv: Sequence[str] | None = None, *, out: TextIO, err: TextIO) -> int:
    """Check what the arguments name, and print what came of it.

    Returns: 0 intact, 1 something was found, 2 the call was wrong or nothing could be read.
    """
    given = _arguments().parse_args(argv)
    try:
        report = _run(given, err)
    except (ValueError, OSError, ImportError) as error:
        err.write(f"{error}\n")
        return 2
    if given.json:
        out.write(json.dumps(asdict(report), indent=2) + "\n")
    else:
        out.writelines(f"{line}\n" for line in _lines(report))
    return 0 if report.ok else 1


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Check a ledger offline. Exit status: 0 intact, 1 something was found, 2 bad call."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    export = commands.add_parser("export", help="a whole log: checkpoint, entries, hashes")
    proof = commands.add_parser("proof", help="one entry, with its proof")
    timeline = commands.add_parser("timeline", help="all entries on one subject or practice")
    export.add_argument("folder", type=Path)
    export.add_argument("--older", type=Path, metavar="FILE", help="an earlier checkpoint kept")
    processes = "how many processes share the work"
    export.add_argument("--processes", type=int, default=cpu_count(), metavar="N", help=processes)
    proof.add_argument("body", type=Path, help="the exact bytes of the entry")
    proof.add_argument("proof", type=Path, help="its .tlog-proof")
    timeline.add_argument("folder", type=Path)
    for command in (export, proof, timeline):
        key = "the log's verifier key, or a file with it, from somebody you trust"
        command.add_argument("--vkey", metavar="KEY_OR_FILE", help=key, required=command is proof)
        witness = "the key of a witness that must have cosigned; may be repeated"
        command.add_argument(
            "--witness", metavar="KEY_OR_FILE", help=witness, action="append", default=[]
        )
        command.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _run(given: argparse.Namespace, err: TextIO) -> Report:
    vkey = None if given.vkey is None else _key_text(given.vkey)
    witnesses = [_key_text(each) for each in given.witness]
    if given.command == "timeline":
        return verify_timeline(given.folder, vkey=vkey, witnesses=witnesses)
    if given.command == "proof":
        body, proof = given.body.read_bytes(), given.proof.read_text("utf-8")
        return verify_proof(body, proof, vkey=str(vkey), witnesses=witnesses)
    older = given.older and given.older.read_text("utf-8")

    def tell(size: int) -> None:
        err.write(f"\r{size:,} entries ")

    progress = tell if err.isatty() else None
    return verify_export(
        given.folder,
        vkey=vkey,
        witnesses=witnesses,
        older=older,
        progress=progress,
        processes=given.processes,
    )


def _key_text(given: str) -> str:
    """Return a key that was given as itself, or the one in a file."""
    return given if "+" in given else Path(given).read_text("utf-8")


def _lines(report: Report) -> Iterator[str]:
    yield f"{report.log or 'no log'}: {'intact' if report.ok else 'BROKEN'}"
    yield f"  entries checked  {report.size:,}"
    yield f"  root             {report.root}"
    yield from (f"  checked: {text}" for text in report.checked)
    yield from (f"  witness: {text}" for text in report.witnesses)
    for finding in report.findings:
        where = "" if finding.index is None else f"entry {finding.index}: "
        yield f"  {where}{finding.code}: {finding.text}"
    if report.found > len(report.findings):
        yield f"  and {report.found - len(report.findings):,} findings more"
    yield from (f"  not proved: {text}" for text in report.not_proved)


if __name__ == "__main__":  # pragma: no cover  # a test runs it as a program of its own
    sys.exit(main(out=sys.stdout, err=sys.stderr))
