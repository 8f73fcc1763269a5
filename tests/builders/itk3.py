"""Letters to practices, and what the system of a simulated practice answers to them."""

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from xml.sax.saxutils import quoteattr

from gateway.mapping.itk3_parts import (
    AttachmentType,
    LetterAttachment,
    LetterAuthor,
    LetterOrganisation,
    LetterPatient,
    PracticeLetter,
    SendDocument,
    SnomedConcept,
)
from gateway.referral.identifiers import DeliveryId, NhsNumber, OdsCode

DELIVERY = DeliveryId("77777777-7777-4777-8777-777777777777")
A_PDF = b"%PDF-1.4\n% a report\n%%EOF\n"
_NHS = "https://fhir.nhs.uk/STU3"
_POSITIVE = frozenset("20013 30001 30004 30005 30006 30008 30009 30010 30011 30013 30016".split())


def a_practice_letter(**changes: Any) -> PracticeLetter:
    """Make a letter as it is sent; `changes` are fields of it."""
    letter = PracticeLetter(
        delivery_id=DELIVERY,
        workflow=SendDocument.V2,
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
