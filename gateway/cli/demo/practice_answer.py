"""What a simulated practice's system answers to an ITK3 message: FHIR STU3, XML.

What enters: which message is answered, by whom, with which code. What leaves: the bytes of one
answer. Must never: say anything of the person (ITK3, FHIR-BA-02). Sources: GP Connect Send
Document, GPCM-SD-050 to 055 and 074; ITK3 Messaging Distribution, 2.9.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID, uuid5
from xml.sax.saxutils import quoteattr

from gateway.cli.demo.practice_manners import DISPLAYS, is_positive

_NHS: Final = "https://fhir.nhs.uk/STU3"
_WARNINGS: Final = frozenset({"30007", "30012"})
"""Negative codes that come as a warning. Source: ITK-ResponseCodes-1."""
_OURS: Final = UUID("6f0c3f0e-51e1-4a7c-9c55-0c6a4d3d1c7b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerer:
    """Whose system answers."""

    ods: str
    mailbox: str


def write_answer(
    code: str, by: Answerer, *, about: str, sender_reference: str, at: datetime
) -> bytes:
    """Write one answer to the message `about`. The same answer has the same ids each time."""
    header, organisation, outcome, bundle = (
        str(uuid5(_OURS, f"{by.mailbox}/{about}/{code}/{part}"))
        for part in ("header", "organisation", "outcome", "bundle")
    )
    extension = f"{_NHS}/StructureDefinition/Extension-ITK-MessageHandling-2"
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Bundle xmlns="http://hl7.org/fhir"><id value="{bundle}"/>
 <meta><profile value="{_NHS}/StructureDefinition/ITK-Message-Bundle-1"/></meta>
 <identifier><system value="https://tools.ietf.org/html/rfc4122"/><value value="{bundle}"/></identifier>
 <type value="message"/>
 <entry><fullUrl value="urn:uuid:{header}"/><resource><MessageHeader><id value="{header}"/>
  <meta><profile value="{_NHS}/StructureDefinition/ITK-MessageHeader-2"/></meta>
  <extension url="{extension}">
   <extension url="BusAckRequested"><valueBoolean value="false"/></extension>
   <extension url="InfAckRequested"><valueBoolean value="false"/></extension>
   <extension url="RecipientType"><valueCoding>
    <system value="{_NHS}/CodeSystem/ITK-RecipientType-1"/><code value="FI"/>
    <display value="For Information"/></valueCoding></extension>
   <extension url="SenderReference"><valueString value={quoteattr(sender_reference or "None")}/></extension>
   <extension url="LocalExtension"><valueString value="None"/></extension>
  </extension>
  <event><system value="{_NHS}/CodeSystem/ITK-MessageEvent-2"/><code value="ITK008M"/>
   <display value="ITK Response"/></event>
  <sender><reference value="urn:uuid:{organisation}"/></sender>
  <timestamp value="{at.isoformat(timespec="seconds")}"/>
  <source><endpoint value={quoteattr(by.mailbox)}/></source>
  <response><identifier value={quoteattr(about)}/>
   <code value="{"ok" if is_positive(code) else "fatal-error"}"/>
   <details><reference value="urn:uuid:{outcome}"/></details></response>
  <focus><reference value="urn:uuid:{outcome}"/></focus>
 </MessageHeader></resource></entry>
 <entry><fullUrl value="urn:uuid:{organisation}"/><resource><Organization><id value="{organisation}"/>
  <meta><profile value="{_NHS}/StructureDefinition/CareConnect-ITK-Header-Organization-1"/></meta>
  <identifier><system value="https://fhir.nhs.uk/Id/ods-organization-code"/>
   <value value={quoteattr(by.ods)}/></identifier></Organization></resource></entry>
 <entry><fullUrl value="urn:uuid:{outcome}"/><resource><OperationOutcome><id value="{outcome}"/>
  <meta><profile value="{_NHS}/StructureDefinition/ITK-Response-OperationOutcome-1"/></meta>
  <issue><severity value="{_severity(code)}"/>
   <code value="{"informational" if is_positive(code) else "processing"}"/>
   <details><coding><system value="{_NHS}/CodeSystem/ITK-ResponseCodes-1"/><code value="{code}"/>
    <display value={quoteattr(DISPLAYS[code])}/></coding></details>
   <diagnostics value="Said by the system of a simulated practice."/></issue>
 </OperationOutcome></resource></entry>
</Bundle>
""".encode()


def _severity(code: str) -> str:
    if is_positive(code):
        return "information"
    return "warning" if code in _WARNINGS else "fatal"
