"""An option's value that is an instant."""

from datetime import datetime

import click

from gateway.referral.instants import read_instant


class _Instant(click.ParamType[datetime]):
    """An option's value that is an instant."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it, or say how it is to be written."""
        if isinstance(value, datetime):
            return value
        try:
            return read_instant(str(value))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


INSTANT = _Instant()
