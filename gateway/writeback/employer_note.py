"""A note for an employer: may these words stand in what an employer reads?

What enters: a text that a provider wrote for the employer. What leaves: nothing, or why it may not
pass and how to mend it, which never repeats it. It is strict, for the writer can say it otherwise:
a number that could name a person, a date with its year, and a word of letters and digits, as codes,
postcodes and insurance numbers are, are refused, whatever they mean there.

Not checked: what the words mean, or a number written in letters.
"""

import re
import unicodedata

_MARKUP = re.compile(r"[<>{}|\\^=`]|://")
_JOINED = re.compile(r"\d(?:[\W_]{0,3}\d)*")
"""Digits, parted by at most three characters that are neither letter nor digit."""
_FEWEST = 6
"""Digits of the shortest SNOMED CT identifier, and of a date with its year in two digits."""
_DATE = re.compile(r"\d{1,4}\s?[/.-]\s?\d{1,2}\s?[/.-]\s?\d{1,4}")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_MONTH = re.compile(
    r"\b(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\W{1,3}\d{2}\b", re.IGNORECASE
)
_WORD = re.compile(r"\w+")
_MIXED = re.compile(r"(?=.*\d)(?=.*[^\W\d])")
_MEASURED = re.compile(r"\d{1,3}(?:st|[nr]d|th|am|pm|kg|lb|h|hr|hrs|m|cm|min|mins)", re.IGNORECASE)

_UNREADABLE = "The note is empty, or holds a character that cannot be seen: write it anew."
_TOO_LONG = "The note is too long: say less."
_AS_MARKUP = "The note holds what looks like markup or an address: write plain words."
_AS_NUMBER = (
    "The note holds what looks like a number of a person or a code: leave it out; write a span of"
    " times with 'to'."
)
_AS_DATE = "The note holds what looks like a date: use the items for dates."
_AS_CODE = "The note holds a word of letters and digits, as codes have: write it in words."


def why_refused(text: str, *, longest: int) -> str | None:
    """Say why a text may not stand in an employer's copy, and how to mend it; None: it may.

    Args:
        text: the text as the provider wrote it.
        longest: how many characters it may have.
    """
    plain = unicodedata.normalize("NFKC", text)
    if not text.strip() or not text.isprintable():
        return _UNREADABLE
    rules = (
        (len(text) > longest, _TOO_LONG),
        (_MARKUP.search(plain) is not None, _AS_MARKUP),
        (_has_date(plain), _AS_DATE),
        (any(_digits(run) >= _FEWEST for run in _JOINED.findall(plain)), _AS_NUMBER),
        (any(_is_code(word) for word in _WORD.findall(plain)), _AS_CODE),
    )
    return next((why for holds, why in rules if holds), None)


def _has_date(plain: str) -> bool:
    return any(pattern.search(plain) is not None for pattern in (_DATE, _YEAR, _MONTH))


def _digits(run: str) -> int:
    return sum(each.isdecimal() for each in run)


def _is_code(word: str) -> bool:
    return _MIXED.match(word) is not None and _MEASURED.fullmatch(word) is None
