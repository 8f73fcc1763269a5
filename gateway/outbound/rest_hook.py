"""Notifications over HTTPS: each letter posted once, to where a subscription may lead.

What enters: a letter. What leaves: the bytes, once. A 2xx is an acknowledgement, whatever stands
in the body, which nobody looks at. Must never: follow a redirect, or speak to an address that
`reach` does not let through, whatever the name led to when the subscription was made.
"""

from functools import partial

from gateway.errors import DestinationUnreachableError, NoReplyError
from gateway.journey.notify import Letter
from gateway.journey.reach import Reach
from gateway.outbound.https_line import HttpsLine, Posting


class RestHook:
    """Posts letters over one line."""

    def __init__(self, line: HttpsLine, reach: Reach) -> None:
        self._line = line
        self._reach = reach

    def post(self, letter: Letter, *, deadline: float) -> None:
        """Post a letter; see `journey.notify.Post`.

        Raises:
            DestinationUnreachableError: no connection, or none that may be used.
            NoReplyError: no whole answer came back in time.
            DestinationBusyError: the address asks to be left alone for now.
            DestinationRefusedError: any other answer but a 2xx.
        """
        if not self._reach.is_within(letter.address):
            msg = "the address is no longer one that may be posted to"
            raise DestinationUnreachableError(msg)
        posting = Posting(
            address=letter.address,
            headers=letter.headers,
            body=letter.body,
            ca_file=self._reach.ca_file(letter.address),
            may_connect=partial(self._reach.may_connect, letter.address),
        )
        try:
            answer = self._line.exchange(posting, deadline=deadline)
        except NoReplyError as error:
            if _is_success(error.status):
                return  # it took the letter, and then talked for too long
            raise
        if not answer.is_success:
            raise answer.failure()


def _is_success(status: int | None) -> bool:
    return status is not None and 200 <= status < 300  # noqa: PLR2004  # HTTP classes
