"""Words that people write freely: none of them may hold a patient's NHS number.

What enters: a text that a practice or an operator wrote. What leaves: nothing, or a refusal.
Must never: repeat the text. Source: the check digit of the NHS Data Dictionary; ten digits that
pass it by chance (one in eleven) are refused too.
"""

import re
import unicodedata
from itertools import accumulate

from gateway.referral.identifiers import NhsNumber

_DIGITS = 10
_RUN = re.compile(r"\d+(?:[\W_]{1,3}\d+)*")
"""Groups of digits, parted by at most three characters that are neither letter nor digit."""


def refuse_nhs_number(text: str) -> str:
    """Return a text that holds no NHS number, however its digits are written or parted.

    Raises:
        ValueError: groups of digits side by side make ten digits that pass modulus 11.
    """
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text)):
        groups = [_plain(group) for group in re.findall(r"\d+", run.group())]
        for first in range(len(groups)):
            for joined in accumulate(groups[first:]):
                if len(joined) >= _DIGITS:
                    break
            if len(joined) == _DIGITS and NhsNumber(joined).checks:
                msg = "holds what looks like an NHS number: name no patient here"
                raise ValueError(msg)
    return text


def _plain(digits: str) -> str:
    """Write digits of any script as 0 to 9."""
    return "".join(str(unicodedata.decimal(digit)) for digit in digits)
