"""A provider's own list: what happened to its Tasks, by number, without a gap.

What enters: a provider, and the number that it has seen last, or an instant. What leaves: one
page: each Task once, as it stands now, with the numbers of its events; and where the page and the
list end, so that an empty page is told from one that is behind. What is shown is recorded; an
empty page shows nobody and is no entry. Must never: show another provider's list, or let a number
go by unseen: what was erased is told by its number alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import AheadOfListError
from gateway.journey.disclose import Question, record_shown
from gateway.journey.gateway import Gateway
from gateway.journey.look_up import Hop, hops_of, shown_of
from gateway.journey.reconcile_ledger import Fault
from gateway.ledger.kinds import Interaction
from gateway.referral.identifiers import DeliveryId
from gateway.referral.model import Sender
from gateway.store import deliveries, feeds
from gateway.store.engine import Reading
from gateway.store.feeds import FeedEvent

_MEND = (
    "Stop the gateway and compare the list with a dump: subscribers count on its numbers, so none"
    " may be given again or left out."
)
_NOT_TOLD = "Its provider was not told; find out why, and tell them."


@dataclass(frozen=True, slots=True)
class Numbered:
    """A Task as it stands now, and its events on this page, the oldest first."""

    hop: Hop
    events: tuple[FeedEvent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list. `erased` are events of which only the number is left.

    `position` is the number of its last event, from which the next page goes on; `newest` that
    of the list.
    """

    tasks: tuple[Numbered, ...]
    erased: tuple[FeedEvent, ...]
    position: int
    newest: int

    @property
    def has_more(self) -> bool:
        """Whether the list goes on after this page."""
        return self.position < self.newest


def read_feed(sender: Sender, since: int | datetime, limit: int, gateway: Gateway) -> Page:
    """Read one page of the sender's own list.

    Args:
        sender: whose list.
        since: the number of the last event that it has seen; 0 for none. Or an instant: the
            list is read from the first event that is not before it.
        limit: how many events, at most.
        gateway: the live objects.

    Raises:
        AheadOfListError: the list has not so many events, so it is not the one that was read.
    """
    with gateway.store.reading(as_one_moment=True) as view:
        after = since if isinstance(since, int) else feeds.before(view, sender.ods, since)
        found = feeds.events(view, sender.ods, after=after, limit=limit)
        newest = feeds.size(view, sender.ods)
        if after > newest:
            msg = (
                f"the list has {newest} events, and you say that you have seen more: it was brought"
                " back from an older copy, or the number is of another list. Begin again at"
                " _since=0"
            )
            raise AheadOfListError(msg)
        tasks = tuple(_numbered(view, found))
    page = Page(
        tasks=tasks,
        erased=tuple(each for each in found if each.delivery is None),
        position=found[-1].seq if found else after,
        newest=newest,
    )
    if page.tasks:
        by = {"_since": since, "_count": limit}
        question = Question(type="Task", interaction=Interaction.SEARCH, by=by)
        record_shown(gateway, sender, question, [shown_of(each.hop.referral) for each in tasks])
    return page


def _numbered(view: Reading, found: Sequence[FeedEvent]) -> Iterator[Numbered]:
    """Give each Task once, in the order of its first event on the page."""
    of_each: dict[DeliveryId, list[FeedEvent]] = {}
    for event in found:
        if event.delivery is not None:
            of_each.setdefault(event.delivery, []).append(event)
    found_here = deliveries.of_ids(view, of_each.keys())
    hops = {each.id: each for each in hops_of(view, found_here)}
    for delivery_id, own in of_each.items():
        yield Numbered(hops[delivery_id], tuple(own))


def feed_faults(view: Reading) -> Iterator[Fault]:
    """Find lists whose numbers have gaps, and deliveries of which a provider was never told."""
    for subscriber in feeds.gaps(view):
        text = "the numbers of its list are not 1 to its size"
        yield Fault(about=f"feed of {subscriber}", text=text, mend=_MEND)
    for delivery_id in feeds.untold(view):
        text = "its provider's list does not name it"
        yield Fault(about=f"delivery {delivery_id}", text=text, mend=_NOT_TOLD)
