"""What a record for a practice is made of, before it is bytes.

Values only: codes that a community pharmacy sent as FHIR R4, and who writes to whom about whom.
Nothing here is shown by `repr`. Source: GP Connect Update Record 1.2; `mappings/gp-connect/README.md`.
"""

from dataclasses import dataclass, field
from datetime import datetime

from gateway.mapping.itk3_parts import LetterOrganisation, LetterPatient
from gateway.referral.identifiers import DeliveryId
from gateway.referral.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class PracticeRecord:
    """What one pharmacy says for the record of one person, at one practice.

    `tree`: what it sent, a Bundle of FHIR R4 that validation has passed. `patient`: as the
    referral names them, and as MESH routes by. `mailbox`: the sender's, where answers go.
    """

    delivery_id: DeliveryId
    patient: LetterPatient = field(repr=False)
    sender: LetterOrganisation
    practice: LetterOrganisation
    tree: JsonObject = field(repr=False)
    created: datetime
    mailbox: str
