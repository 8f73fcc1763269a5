"""Every named defect, and those on which the front door is known to answer otherwise today."""

from collections.abc import Mapping
from typing import Final

from tests.conformance.defect import Defect
from tests.conformance.defects_bars import BARS_DEFECTS
from tests.conformance.defects_referral import REFERRAL
from tests.conformance.defects_structure import STRUCTURE

DEFECTS: Final[tuple[Defect, ...]] = (*STRUCTURE, *REFERRAL, *BARS_DEFECTS)

_MODIFIES = "a modifier that is not understood must not be passed over (FHIR R4, extensibility)"
_NO_PLACE = "the expression does not say where in the Bundle the ServiceRequest stands"

KNOWN: Final[Mapping[str, str]] = {
    "modifier_of_the_letter": _MODIFIES,
    "modifier_of_the_header": _MODIFIES,
    "rules_that_are_not_understood": "implicitRules is a modifier element, and is passed over",
    "text_with_a_character_that_xml_cannot_carry": "once accepted, it cannot be read back as XML",
    "letter_entered_in_error": "a letter that its author took back is sent on as the reason",
    "use_case_that_the_service_does_not_take": _NO_PLACE,
    "performer_that_is_another_service": _NO_PLACE,
    "reply_address_that_is_no_service": "replies could not be sent there",
    "definition_of_another_message": "the definition contradicts the event",
    "message_without_servicerequest": "the expression names a place that no message has",
}
"""Names of defects that are not yet told as the standard asks, each with the reason."""
