"""Signers of checkpoints with fixed seeds, and what a house has signed."""

from typing import Final

from gateway.journey.publish import Due, publish
from gateway.ledger.note import ED25519, Ed25519Signer, VerifierKey
from gateway.store.checkpoints import Signed
from tests.builders.house import House

SIGNER: Final = Ed25519Signer(bytes(range(32)))
NEXT_SIGNER: Final = Ed25519Signer(bytes(range(32, 64)))


def sign(house: House, *signers: Ed25519Signer, due: Due | None = None) -> list[Signed]:
    """Sign what is new in a house."""
    return publish(house.gateway, signers or (SIGNER,), due=due)


def key_of(log: str, signer: Ed25519Signer = SIGNER) -> VerifierKey:
    """The public key of a signer for one log."""
    return VerifierKey(name=log, algorithm=ED25519, public_key=signer.public_key)
