"""Witnesses in this process, as the journey meets them, and logs for them to see grow."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.journey.cosign import Reply
from gateway.journey.hand_out import newest_log, verifier_key
from gateway.journey.publish import publish
from gateway.ledger.entry import ClockDrift
from gateway.ledger.kinds import Drift
from gateway.ledger.note import Ed25519Signer, VerifierKey, read_verifier_key
from gateway.store import checkpoints, ledger
from tests.builders.house import House
from tests.builders.witness import Notary

SIGNER = Ed25519Signer(b"g" * 32)


@dataclass
class Near:
    """A witness that is asked without HTTP: `says` answers. `key`: what is expected of it."""

    key: VerifierKey
    says: Callable[[bytes], Reply]

    def add_checkpoint(self, request: bytes) -> Reply:
        return self.says(request)


def near(notary: Notary) -> Near:
    """Ask this witness."""

    def says(request: bytes) -> Reply:
        status, _, body = notary.answer(request)
        return Reply(status=status, body=body)

    return Near(read_verifier_key(notary.vkey), says)


def log_of(house: House) -> str:
    return newest_log(house.gateway, None)


def size_of(house: House) -> int:
    with house.gateway.store.reading() as view:
        return ledger.head_of(view.connection, log_of(house)).size


def grow(house: House, *, by: int = 1) -> None:
    """Write so many entries that mean nothing."""
    line = ClockDrift(actor="x", against="y", drift=Drift.AHEAD, milliseconds=1)
    with house.gateway.store.transaction(house.clock()) as tx:
        tx.record(*[line] * by)


def sign(house: House, *, at: int | None = None) -> int:
    """Sign the head, after it has grown to this size if one is given; return its size."""
    grow(house, by=1 if at is None else at - size_of(house))
    *_, signed = publish(house.gateway, [SIGNER])  # that of a year which is over comes first
    return signed.checkpoint.size


def note(house: House, *, log: str | None = None) -> str:
    """The newest note, with its cosignatures."""
    with house.gateway.store.reading() as view:
        signed = checkpoints.newest(view, log or log_of(house))
        assert signed is not None
        return checkpoints.note_of(view, signed)


def notary_of(house: House, folder: Path) -> Notary:
    """A witness that knows the house's logs of 2026; sign before."""
    log = log_of(house)
    return Notary(folder / "witness.json", logs={log: [verifier_key(house.gateway, log)]})
