"""The keeper: threads that look after the ledger while the worker delivers.

What enters: the gateway, the signers and the witnesses. What leaves: checkpoints when they are
due, and cosignatures. One thread signs, and one more asks each witness, so that a slow witness
delays neither signing nor another one. None ends by itself: what fails is told in the log and
tried again, and a ledger that is broken stays unsigned.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from gateway.errors import DamagedRecordError, GatewayError
from gateway.journey.cosign import ALARMS, Change, Cosigner, cosign
from gateway.journey.gateway import Gateway
from gateway.journey.publish import Due, publish
from gateway.ledger.note import Signer

_log = logging.getLogger(__name__)
_LOOK_AGAIN = timedelta(seconds=1)
_LOOK_AGAIN_BROKEN = timedelta(minutes=5)
"""How long to wait after the ledger was found broken: each look is an entry."""


class Keeper:
    """Threads that sign the ledger's heads when they are due, and have them cosigned."""

    def __init__(
        self,
        gateway: Gateway,
        signers: Sequence[Signer],
        *,
        due: Due,
        cosigners: Sequence[Cosigner] = (),
    ) -> None:
        self._gateway = gateway
        self._signers = signers
        self._due = due
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._sign, name="keep-ledger"),
            *(
                threading.Thread(
                    target=self._repeat, args=(partial(self.ask, each),), name=f"cosign-{number}"
                )
                for number, each in enumerate(cosigners)
            ),
        ]

    def start(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, patience: timedelta) -> bool:
        """Ask the threads to stop, and wait; tell whether they did. What is due then is signed."""
        self._stopping.set()
        until = time.monotonic() + patience.total_seconds()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _sign(self) -> None:
        self._repeat(self.keep)
        self.keep()

    def _repeat(self, act: Callable[[], timedelta]) -> None:
        while not self._stopping.wait(act().total_seconds()):
            pass

    def keep(self) -> timedelta:
        """Sign what is due once; tell how long to wait before the next time."""
        return _tried(partial(publish, self._gateway, self._signers, due=self._due))

    def ask(self, cosigner: Cosigner) -> timedelta:
        """Ask a witness once about what it lacks; tell how long to wait before the next time."""
        return _tried(partial(self._ask, cosigner))

    def _ask(self, cosigner: Cosigner) -> None:
        for change in cosign(self._gateway, cosigner):
            _tell(cosigner.witness.key.name, change)


def _tried(act: Callable[[], object]) -> timedelta:
    try:
        act()
    except DamagedRecordError:
        _log.critical("the ledger is broken and is not signed: run `gateway ledger verify`")
        return _LOOK_AGAIN_BROKEN
    except GatewayError as error:
        _log.warning("no checkpoint was signed or cosigned, it will be tried again: %s", error)
    except Exception as error:  # noqa: BLE001  # a loop that must not end
        _log.error("an unforeseen %s in keeping the ledger", type(error).__name__)
    return _LOOK_AGAIN


def _tell(witness: str, change: Change) -> None:
    """Say how a witness stands now, in our own words only."""
    if change.refusal is None:
        _log.info("witness %s cosigns %s again", witness, change.log)
    elif change.refusal in ALARMS:
        _log.critical(
            "witness %s saw another history of %s (%s): a fork, or a restored backup; stop"
            " nothing, and compare its checkpoint with `gateway ledger checkpoint`",
            witness,
            change.log,
            change.refusal,
        )
    else:
        _log.warning(
            "witness %s does not cosign %s (%s); it will be asked again",
            witness,
            change.log,
            change.refusal,
        )
