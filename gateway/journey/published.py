"""What anybody may see of the ledger: its signed heads, and the key that they are signed with.

What enters: a year, and a size. What leaves: a note with the cosignatures that it has by now.
It tells how many entries there are and a hash over them, nothing of what they say. The last
checkpoint of a year stays when its entries are purged. Must never: sign, or write anything.
"""

from gateway.errors import NotFoundError
from gateway.journey.gateway import Gateway
from gateway.journey.hand_out import verifier_key
from gateway.store import checkpoints


def published_note(gateway: Gateway, year: int, *, size: int | None = None) -> str:
    """Return the newest checkpoint of a year's log, or the one of this size.

    Raises:
        NotFoundError: there is none.
    """
    log = _log_of(gateway, year)
    with gateway.store.reading() as view:
        signed = (
            checkpoints.newest(view, log) if size is None else checkpoints.of_size(view, log, size)
        )
        if signed is None:
            raise NotFoundError("no such checkpoint was published here")
        return checkpoints.note_of(view, signed)


def published_key(gateway: Gateway, year: int) -> str:
    """Return the key that signed the newest checkpoint of a year's log, as a vkey.

    Raises:
        NotFoundError: there is no checkpoint.
    """
    return verifier_key(gateway, _log_of(gateway, year))


def _log_of(gateway: Gateway, year: int) -> str:
    return f"{gateway.store.ledger_origin}/{year:04}"
