"""What goes back by MESH to a provider that sent an outcome there.

What enters: which message is answered, whether it was taken, and what is said of it as an
OperationOutcome. What leaves: a FHIR R4 message, in JSON or XML as the outcome came, and its
control values. Both are the same at every attempt: their ids are made from the name of the message
that is answered and from what is said of it, so one id is never borne by two texts. Must never:
say anything of the person, or give back a word of the message but the UUID of a BaRS Bundle.
Source: FHIR R4 MessageHeader.response; BaRS Core, servicerequest-response; MESH API, headers;
`mappings/mesh/README.md`.
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Final

from gateway.fhir.json_text import write_json
from gateway.fhir.text import Media, write_resource
from gateway.mapping.bars_terms import DEVICE, SOFTWARE
from gateway.mapping.mesh import Control
from gateway.referral.directory import Endpoint
from gateway.referral.identifiers import OWN_BASE, OdsCode
from gateway.referral.json import Json, JsonObject, string

EVENT: Final = f"{OWN_BASE}/Message/outcome-answer"
"""MessageHeader.eventUri: by which it is known as an answer to an outcome, and as no BaRS message."""
SENDER: Final = "urn:nhs-uk:addressing:ods:"
"""Before an ODS code, where a message says who sent it. Source: ITK3, addressing."""

_NAMES: Final = uuid.uuid5(uuid.NAMESPACE_URL, EVENT)
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_SUFFIXES: Final = {Media.JSON: ".json", Media.XML: ".xml"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """One message on its way back. `control` says to whom."""

    control: Control
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What is said of one message.

    `message` is MESH's name for it; `tree` what it held, empty where it could not be read. `told`
    is an OperationOutcome, None: there is nothing to say but that it was taken.
    """

    message: str
    media: Media
    tree: JsonObject = field(repr=False)
    is_taken: bool
    told: JsonObject | None


def media_of(body: bytes) -> Media:
    """Say in which format something came, readable or not: by its first byte that is not blank."""
    return Media.XML if body.lstrip(b" \t\r\n")[:1] == b"<" else Media.JSON


def is_message(tree: JsonObject) -> bool:
    """Whether an outcome is a message Bundle, as those of BaRS are."""
    return string(tree, "resourceType") == "Bundle" and string(tree, "type") == "message"


def answer_outcome(verdict: Verdict, lane: Endpoint, *, by: OdsCode) -> Reply:
    """Write what a provider is told of its outcome.

    Args:
        verdict: what is told of which message.
        lane: the endpoint whose recipient sent it, and which names the workflow of answers.
        by: whoever runs this gateway.
    """
    return Reply(
        control=Control(
            to=lane.parameters["recipient"],
            workflow=lane.parameters["outcome_answers"],
            local_id=verdict.message,
            subject=f"Answer to message {verdict.message}",
            filename=f"{verdict.message}{_SUFFIXES[verdict.media]}",
            content_type=verdict.media.value,
        ),
        body=write_resource(_message(verdict, by), verdict.media),
    )


def _message(verdict: Verdict, by: OdsCode) -> JsonObject:
    own = _own_id(verdict)
    header_id, told_id = (str(uuid.uuid5(own, name)) for name in ("header", "told"))
    response: JsonObject = {
        "identifier": _answered(verdict),
        "code": "ok" if verdict.is_taken else "fatal-error",
    }
    header: JsonObject = {
        "resourceType": "MessageHeader",
        "id": header_id,
        "eventUri": EVENT,
        "source": {"name": SOFTWARE, "software": DEVICE, "endpoint": f"{SENDER}{by}"},
        "response": response,
    }
    entries: list[Json] = [{"fullUrl": f"urn:uuid:{header_id}", "resource": header}]
    if verdict.told is not None:
        response["details"] = {"reference": f"urn:uuid:{told_id}"}
        told: JsonObject = {**verdict.told, "id": told_id}
        entries.append({"fullUrl": f"urn:uuid:{told_id}", "resource": told})
    return {"resourceType": "Bundle", "id": str(own), "type": "message", "entry": entries}


def _own_id(verdict: Verdict) -> uuid.UUID:
    """Name the message after the one that it answers and what it says."""
    said: JsonObject = {
        "message": verdict.message,
        "media": verdict.media.value,
        "taken": verdict.is_taken,
        "issue": (verdict.told or {}).get("issue"),
    }
    return uuid.uuid5(_NAMES, write_json(said).decode())


def _answered(verdict: Verdict) -> str:
    """Name what is answered: a BaRS message by its Bundle.id, anything else as MESH does.

    A Bundle.id that is no UUID is not given back: it may be anything. FHIR ids have no `_`.
    """
    own = string(verdict.tree, "id") or ""
    if is_message(verdict.tree) and _UUID.fullmatch(own):
        return own
    return verdict.message.replace("_", "-")
