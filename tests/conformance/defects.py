"""Every named defect, and those on which the front door is known to answer otherwise today."""

from collections.abc import Mapping
from typing import Final

from tests.conformance.defect import Defect
from tests.conformance.defects_bars import BARS_DEFECTS
from tests.conformance.defects_referral import REFERRAL
from tests.conformance.defects_structure import STRUCTURE

DEFECTS: Final[tuple[Defect, ...]] = (*STRUCTURE, *REFERRAL, *BARS_DEFECTS)

KNOWN: Final[Mapping[str, str]] = {}
"""Names of defects that are not yet told as the standard asks, each with the reason."""
