"""Ask the national data opt-out service, and keep what it answers.

What enters: nothing, or the list that was asked and the list that came back. What leaves: the
list to ask, or the number of answers kept. The lists are files; MESH, a courier or a person may
carry them. An answer counts for `Gateway.opt_out_age` and is unknown from then on.
"""

from datetime import datetime, timedelta

from gateway.consent.facts import CLASS_OF, PurposeClass
from gateway.errors import OptOutListError
from gateway.journey.gateway import Gateway
from gateway.ledger.entry import OptOutLoaded
from gateway.mapping.opt_out_list import answers_in, read_list, write_list
from gateway.store import opt_outs

ACTOR = "operator"
_SECONDARY = tuple(p for p, class_ in CLASS_OF.items() if class_ is PurposeClass.SECONDARY)
_EARLY = 2
"""Asked again once half of an answer's age is over, so that it never runs out unnoticed."""


def list_to_ask(gateway: Gateway) -> bytes:
    """Write the list of persons whose opt-out is needed and not known, or soon too old."""
    older_than = gateway.clock() - gateway.opt_out_age / _EARLY
    with gateway.store.reading(as_one_moment=True) as view:
        return write_list(opt_outs.wanted(view, _SECONDARY, older_than=older_than))


def load_answer(asked: bytes, returned: bytes, as_of: datetime, gateway: Gateway) -> int:
    """Keep an answer: all of it, or nothing.

    Args:
        asked: the list that was asked.
        returned: the list that came back: those who have not opted out.
        as_of: when the service answered.
        gateway: where it is kept.

    Returns: how many answers were kept; those that are older than one here already are not.

    Raises:
        OptOutListError: a list is damaged, they do not belong together, or it is not yet then.
    """
    answers = answers_in(read_list(asked), read_list(returned))
    with gateway.store.transaction(gateway.clock()) as tx:
        if as_of > tx.at + timedelta(minutes=5):
            msg = "the answer is dated in the future: check the time that was given for it"
            raise OptOutListError(msg)
        newer = opt_outs.newer_than(tx, answers, as_of)
        kept = {number: out for number, out in answers.items() if number not in newer}
        opt_outs.put(tx, kept, as_of)
        tx.record(
            OptOutLoaded(
                actor=ACTOR,
                size=len(kept),
                as_of=as_of,
            )
        )
    return len(kept)
