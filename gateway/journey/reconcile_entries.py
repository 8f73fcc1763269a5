"""What each entry says that a row must say too.

What enters: an entry as it was loosely read. What leaves: its facts, in the words of
`store.bijection_rows`. Entries on a referral or on a version of a Consent are held against
their rows elsewhere, one referral and one Consent at a time.
"""

from collections.abc import Callable, Iterator, Mapping

from gateway.ledger.kinds import EntryKind
from gateway.store.bijection import Said
from gateway.store.bijection_rows import Exceptions, Fact, Pair

_STEPS = {
    EntryKind.ICB_NOTICE_DRAFTED: "drafted",
    EntryKind.ICB_NOTICE_SENT: "sent",
    EntryKind.ICB_NOTICE_ACKNOWLEDGED: "acknowledged",
    EntryKind.ICB_NOTICE_REINSTATED: "reinstated",
}
_EVENTS = (
    EntryKind.AGREEMENT_PROPOSED,
    EntryKind.AGREEMENT_SIGNED,
    EntryKind.AGREEMENT_WIDENED,
    EntryKind.AGREEMENT_RENEWED,
    EntryKind.AGREEMENT_SUSPENDED,
    EntryKind.AGREEMENT_WITHDRAWN,
    EntryKind.AGREEMENT_REINSTATED,
    EntryKind.AGREEMENT_EXPIRED,
)
_ON_CONSENT = (
    EntryKind.CONSENT_RECORDED,
    EntryKind.CONSENT_SUPERSEDED,
    EntryKind.CONSENT_WITHDRAWN,
    EntryKind.CONSENT_ERROR,
)


def facts_of(said: Said, but: Exceptions) -> Iterator[Fact]:
    """Say what a row must say too; nothing of a person who was erased.

    Not said here: which key signs last (`KeyRing`).
    """
    tell = _TELLERS.get(said.kind)
    if tell is not None and said.subject not in but.erased:
        yield from tell(said, but)


class KeyRing:
    """Which keys signed, and since when each did so last; entries come in order."""

    def __init__(self) -> None:
        self._since: dict[str, str] = {}

    def add(self, said: Said) -> None:
        """Note a change of keys."""
        if said.kind == EntryKind.KEY_ROTATED:
            self._since[said["new_key_sha256"]] = said.at

    def facts(self) -> Iterator[Fact]:
        """Say since when each key signs."""
        yield from (Fact(Pair.KEY, key, (at,)) for key, at in self._since.items())


def _decision(said: Said, but: Exceptions) -> Iterator[Fact]:
    gone = but.purged.get("refusals")
    if said["referral"] is None and (gone is None or said.at >= gone.before):
        yield Fact(Pair.DECISION, said["decision"], told_of_decision(said))


def told_of_decision(said: Said) -> tuple[str | None, ...]:
    """List what a decision's row must say too, in the order of `TOLD`."""
    return (
        said["stage"], said["referral"], said["delivery"], said.practice, said.subject,
        said["service"], said["recipient"], said["effect"], said["rule"], said["code"],
        said["policy"], said["payload_sha256"], said.at,
    )  # fmt: skip


def _agreement(said: Said, _but: Exceptions) -> Iterator[Fact]:
    told = (
        said.kind.removeprefix("agreement."), said["recipient"], said["agreement_kind"],
        said["effective_at"], said["source"], said["document_sha256"], said.actor,
    )  # fmt: skip
    yield Fact(Pair.AGREEMENT, f"{said.practice}/{said['agreement']}/{said['version']}", told)
    yield from _change(said, "practice", said.practice)


def _switch(said: Said, _but: Exceptions) -> Iterator[Fact]:
    told = (said["value"], said["effective_at"], said["source"], said.actor)
    yield Fact(Pair.SWITCH, f"{said.practice}/{said['switch']}/{said['version']}", told)
    yield from _change(said, "practice", said.practice)


def _consent(said: Said, _but: Exceptions) -> Iterator[Fact]:
    yield from _change(said, "subject", said.subject)


def _assurance(said: Said, _but: Exceptions) -> Iterator[Fact]:
    yield from _change(said, "recipient", said["recipient"])


def _change(said: Said, gate: str, key: str | None) -> Iterator[Fact]:
    """Say the number that a gate gave this change; entries of before there were gates have none."""
    number = said.epochs.get(gate)
    if number is not None:
        yield Fact(Pair.GATE, f"{gate}/{key}/{number}", ())


def _notice(said: Said, _but: Exceptions) -> Iterator[Fact]:
    told = (said.practice, said["recipient"], said["notice_kind"], said["letter_sha256"], said.at)
    yield Fact(Pair.NOTICE, f"{said['notice']}/{_STEPS[EntryKind(said.kind)]}", told)


def _withdrawal(said: Said, _but: Exceptions) -> Iterator[Fact]:
    told = (
        said.practice, said["recipient"], said.subject, said["cause"], said["about"], said.actor,
        said["withdrawn_at"], said.at,
    )  # fmt: skip
    yield Fact(Pair.WITHDRAWAL, said["withdrawal"], told)


def _policy(said: Said, _but: Exceptions) -> Iterator[Fact]:
    yield Fact(Pair.POLICY, said.at, (said["new_sha256"], said["old_sha256"]))


def _checkpoint(said: Said, but: Exceptions) -> Iterator[Fact]:
    log = _log_of(said)
    if log not in but.purged_logs:
        yield Fact(Pair.CHECKPOINT, f"{log}/{said['size']}", (said["root"], said.at))


def _cosignature(said: Said, but: Exceptions) -> Iterator[Fact]:
    log = _log_of(said)
    if log not in but.purged_logs:
        key = f"{log}/{said['size']}/{said['witness']}"
        yield Fact(Pair.COSIGNATURE, key, (said["root"], said.at))


def _log_of(said: Said) -> str:
    """Name the log that an entry is about, which may be that of the year before."""
    return f"{said.log[:-4]}{said['year']:04}"


_TELLERS: Mapping[str, Callable[[Said, Exceptions], Iterator[Fact]]] = {
    EntryKind.DECISION_MADE: _decision,
    **dict.fromkeys(_EVENTS, _agreement),
    EntryKind.SWITCH_CHANGED: _switch,
    EntryKind.ASSURANCE_CHANGED: _assurance,
    **dict.fromkeys(_ON_CONSENT, _consent),
    **dict.fromkeys(_STEPS, _notice),
    EntryKind.WITHDRAWAL_ACKNOWLEDGED: _withdrawal,
    EntryKind.POLICY_CHANGED: _policy,
    EntryKind.CHECKPOINT_PUBLISHED: _checkpoint,
    EntryKind.CHECKPOINT_COSIGNED: _cosignature,
}
TELLING = frozenset({*_TELLERS, EntryKind.KEY_ROTATED})
"""The kinds of entries that say something a row must say too."""
