"""Codes on the command line: a reason as a word of the ledger, in capitals, without digits."""

import re

import click

_CODE = re.compile(r"[A-Z]+(_[A-Z]+){0,7}")
_LONGEST = 40


class Code(click.ParamType[str]):
    """A reason such as CALLED_BY_TELEPHONE. No digits: it can hold no number of a person's."""

    name = "code"

    def convert(
        self,
        value: str,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str:
        """Take it, or say what it should look like."""
        if len(value) > _LONGEST or not _CODE.fullmatch(value):
            self.fail("a code is words in capitals joined by _, such as CALLED_BACK", param, ctx)
        return value


CODE = Code()
