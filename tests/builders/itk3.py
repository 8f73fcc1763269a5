"""Letters to practices, and what the system of a simulated practice answers to them."""

import copy
import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from gateway.fhir.json_text import read_json
from gateway.mapping.itk3 import PracticeMessage, write_letter
from gateway.mapping.itk3_parts import (
    AttachmentType,
    LetterAttachment,
    LetterAuthor,
    LetterOrganisation,
    LetterPatient,
    PracticeLetter,
    SnomedConcept,
)
from gateway.mapping.itk3_record import PracticeRecord
from gateway.referral.identifiers import DeliveryId, NhsNumber, OdsCode
from gateway.writeback.interactions import DocumentVersion, Interaction, Permitted, permit
from gateway.writeback.ruling import Effect, RecipientType, Ruling

DELIVERY = DeliveryId("77777777-7777-4777-8777-777777777777")
A_PDF = b"%PDF-1.4\n% a report\n%%EOF\n"
EXAMPLES = Path(__file__).parents[2] / "mappings" / "gp-connect"
_NHS = "https://fhir.nhs.uk/STU3"
_RECORD: Any = read_json((EXAMPLES / "in" / "record.json").read_bytes())
_POSITIVE = frozenset("20013 30001 30004 30005 30006 30008 30009 30010 30011 30013 30016".split())


def a_practice_letter(**changes: Any) -> PracticeLetter:
    """Make a letter as it is sent; `changes` are fields of it."""
    letter = PracticeLetter(
        delivery_id=DELIVERY,
        patient=LetterPatient(
            number=NhsNumber("9990000018"),
            birth_date=date(1980, 2, 3),
            family="Avery-O'Neill",
            given=("Robin", "Jo"),
        ),
        sender=LetterOrganisation(ods=OdsCode("OH123"), name="Able OH & Co", phone="0113 496 0000"),
        practice=LetterOrganisation(ods=OdsCode("A81001"), name="Brook Surgery"),
        author=LetterAuthor(family="Field", given=("Sam",), prefix="Dr"),
        title="Occupational health report",
        document_type=SnomedConcept(code="371531000", display="Report of clinical encounter"),
        care_setting=SnomedConcept(code="788007007", display="General practice service"),
        created=datetime(2026, 3, 4, 9, 30, tzinfo=UTC),
        mailbox="GATEWAY01",
        attachments=(LetterAttachment(title="Report", media_type=AttachmentType.PDF, content=A_PDF),),
    )  # fmt: skip
    return replace(letter, **changes)


def a_leave(
    delivery_id: str = DELIVERY,
    interaction: Interaction = Interaction.SEND_DOCUMENT,
    *,
    recipient_type: RecipientType = RecipientType.FI,
    version: int = 1,
    replaces: str | None = None,
) -> Permitted:
    """Have the write guard's word that a message may be made: row 4 for codes, else row 7 or 10."""
    is_codes = interaction is Interaction.UPDATE_RECORD
    row = 4 if is_codes else 7 if recipient_type is RecipientType.FI else 10
    ruling = Ruling(
        row=row,
        effect=Effect.ALLOW,
        route=interaction.route,
        recipient_type=recipient_type,
        code="ALLOWED",
        text_inside="Allowed.",
        text_outside="Allowed.",
    )
    return permit(
        ruling,
        interaction,
        DocumentVersion(identifier=delivery_id, number=version, replaces=replaces),
    )


def a_practice_message(
    *,
    interaction: Interaction = Interaction.SEND_DOCUMENT,
    recipient_type: RecipientType = RecipientType.FI,
    version: int = 1,
    replaces: str | None = None,
    **changes: Any,
) -> PracticeMessage:
    """Write a letter as it is sent; `changes` are fields of the letter."""
    letter = a_practice_letter(**changes)
    leave = a_leave(
        letter.delivery_id,
        interaction,
        recipient_type=recipient_type,
        version=version,
        replaces=replaces,
    )
    return write_letter(letter, leave)


def sent_record() -> Any:
    """The Bundle that the example's pharmacy sent, to be changed by a test."""
    return copy.deepcopy(_RECORD["tree"])


def a_practice_record(tree: Any = None, **changes: Any) -> PracticeRecord:
    """Make the record of the example; `changes` are fields of it."""
    given = _RECORD
    patient = given["patient"]
    record = PracticeRecord(
        delivery_id=DeliveryId(given["delivery_id"]),
        patient=LetterPatient(
            number=NhsNumber(patient["number"]),
            birth_date=date.fromisoformat(patient["birth_date"]),
            family=patient["family"],
            given=tuple(patient["given"]),
        ),
        sender=LetterOrganisation(**given["sender"] | {"ods": OdsCode(given["sender"]["ods"])}),
        practice=LetterOrganisation(**given["practice"] | {"ods": OdsCode(given["practice"]["ods"])}),
        tree=sent_record() if tree is None else tree,
        created=datetime.fromisoformat(given["created"]),
        mailbox=given["mailbox"],
    )  # fmt: skip
    return replace(record, **changes)


def an_itk3_answer(
    about: str, code: str, *, says: str | None = None, outcome: str | None = None
) -> bytes:
    """Write what a practice's system answers: XML, STU3.

    `about`: the id of the message that is answered. `says`: MessageHeader.response.code, of its
    own accord what fits the code. `outcome`: what stands in place of the OperationOutcome.
    """
    says = says or ("ok" if code in _POSITIVE else "fatal-error")
    severity = "information" if says == "ok" else "fatal"
    header, detail, sender = (
        str(uuid.uuid5(uuid.NAMESPACE_OID, f"{about}/{code}/{part}"))
        for part in ("header", "outcome", "sender")
    )
    stated = outcome if outcome is not None else f"""
    <OperationOutcome><id value="{detail}"/>
      <meta><profile value="{_NHS}/StructureDefinition/ITK-Response-OperationOutcome-1"/></meta>
      <issue><severity value="{severity}"/><code value="informational"/>
        <details><coding>
          <system value="{_NHS}/CodeSystem/ITK-ResponseCodes-1"/><code value={quoteattr(code)}/>
        </coding></details>
        <diagnostics value="Said by the simulated practice."/>
      </issue>
    </OperationOutcome>"""  # fmt: skip
    return f"""<Bundle xmlns="http://hl7.org/fhir"><type value="message"/>
  <entry><fullUrl value="urn:uuid:{header}"/><resource>
    <MessageHeader><id value="{header}"/>
      <extension url="{_NHS}/StructureDefinition/Extension-ITK-MessageHandling-2">
        <extension url="BusAckRequested"><valueBoolean value="false"/></extension>
        <extension url="InfAckRequested"><valueBoolean value="false"/></extension>
        <extension url="SenderReference"><valueString value={quoteattr(about)}/></extension>
      </extension>
      <event><system value="{_NHS}/CodeSystem/ITK-MessageEvent-2"/><code value="ITK008M"/></event>
      <sender><reference value="urn:uuid:{sender}"/></sender>
      <timestamp value="2026-03-04T09:31:00Z"/>
      <source><endpoint value="A81001GP1"/></source>
      <response><identifier value={quoteattr(about)}/><code value={quoteattr(says)}/>
        <details><reference value="urn:uuid:{detail}"/></details></response>
    </MessageHeader></resource></entry>
  <entry><fullUrl value="urn:uuid:{sender}"/><resource>
    <Organization><id value="{sender}"/><identifier>
      <system value="https://fhir.nhs.uk/Id/ods-organization-code"/><value value="A81001"/>
    </identifier></Organization></resource></entry>
  <entry><fullUrl value="urn:uuid:{detail}"/><resource>{stated}</resource></entry>
</Bundle>
""".encode()
