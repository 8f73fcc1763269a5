"""The destination kind `https` against a Health and Work service in another process."""

import hashlib
import traceback
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.config import OWN_MAPPINGS
from gateway.errors import (
    DeliveryError,
    DestinationBusyError,
    DestinationRefusedError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.fhir.json_text import read_json
from gateway.journey.gateway import Parcel
from gateway.mapping.health_and_work import HealthAndWork
from gateway.mapping.outgoing import Outgoing
from gateway.outbound.https_xml import HttpsXml
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import CorrelationId, DeliveryId, EndpointId
from tests.builders.rows import a_delivery, a_referral
from tests.contracts.parcels import line, within
from tests.processes.certificates import CA_FILE
from tests.processes.conducts import CANARY
from tests.processes.work_service import WorkService, running_service

FOLDER = OWN_MAPPINGS / "health-and-work"
WRITER = HealthAndWork(FOLDER)
FULL = Outgoing(tree=read_json((FOLDER / "in" / "full.json").read_bytes()))


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkService]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def destination(service: WorkService) -> HttpsXml:
    return _destination(service.folder, seconds=20)


def _destination(folder: Path, *, seconds: float) -> HttpsXml:
    limit = timedelta(seconds=seconds)
    return HttpsXml(line(folder, connect=limit, reply=limit), WRITER.read_receipt)


def parcel(address: str, *, recall: bool = False, body: bytes | None = None) -> Parcel:
    """One attempt's parcel, as the walk makes it, with a key of its own."""
    referral = replace(a_referral("work-health"), correlation_id=CorrelationId.of(uuid.uuid4()))
    delivery = replace(a_delivery(), id=DeliveryId.of(uuid.uuid4()))
    endpoint = Endpoint(
        id=EndpointId("work"),
        transport=Transport.HTTPS,
        format=Format.HEALTH_AND_WORK,
        address=address,
        ca_file=CA_FILE,
    )
    if body is None and recall:
        body = WRITER.write_recall(referral, delivery, endpoint)
    elif body is None:
        body = WRITER.write(FULL, referral, delivery, endpoint)
    return Parcel(
        delivery=delivery,
        referral=referral,
        endpoint=endpoint,
        media_type=WRITER.media_type,
        body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
    )


def test_what_is_acknowledged_is_there_byte_for_byte_and_valid(
    service: WorkService, destination: HttpsXml
) -> None:
    sent = parcel(service.address("ok"))
    assert destination.send(sent, deadline=within()).status == 200
    (came,) = service.events(key=sent.delivery.id)
    assert came["is_valid"]
    assert (came["sha256"], came["type"]) == (sent.body_sha256, "application/xml")
    assert came["request"] == sent.delivery.id
    assert came["correlation"] == sent.referral.correlation_id


def test_a_repeat_is_a_duplicate_and_counts_as_delivered(
    service: WorkService, destination: HttpsXml
) -> None:
    sent = parcel(service.address("ok"))
    for said in ("<Accepted/>", "<Duplicate/>"):
        assert destination.send(sent, deadline=within()).status == 200
        assert said in service.events(key=sent.delivery.id)[-1]["said"]


def test_an_answer_that_came_too_late_is_made_up_for_by_the_next_attempt(
    service: WorkService,
) -> None:
    sent = parcel(service.address("takes-and-hangs-once"))
    hasty = _destination(service.folder, seconds=0.5)
    with pytest.raises(NoReplyError):
        hasty.send(sent, deadline=within())
    assert hasty.send(sent, deadline=within()).status == 200


def test_a_referral_whose_withdrawal_came_first_is_rejected(
    service: WorkService, destination: HttpsXml
) -> None:
    reference = parcel(service.address("ok")).referral.reference
    other = type(reference)("RG-0000-0001")
    recall = parcel(service.address("ok"), recall=True)
    late = parcel(service.address("ok"))
    recall, late = (
        replace(
            each,
            body=each.body.replace(reference.encode(), other.encode()),
        )
        for each in (recall, late)
    )
    assert destination.send(recall, deadline=within()).status == 200
    with pytest.raises(DestinationRefusedError, match="withdrawn"):
        destination.send(late, deadline=within())


def test_the_service_itself_refuses_what_is_not_valid(
    service: WorkService, destination: HttpsXml
) -> None:
    sent = parcel(service.address("ok"))
    spoilt = replace(sent, body=sent.body.replace(b"<Answer>yes</Answer>", b"", 1))
    with pytest.raises(DestinationRefusedError, match="not-valid"):
        destination.send(spoilt, deadline=within())


@pytest.mark.parametrize(
    ("conduct", "error", "status", "wish"),
    [
        ("422-rejected", DestinationRefusedError, 422, None),
        ("200-rejected", DestinationRefusedError, 200, None),
        ("400-accepted", NoReplyError, 400, None),
        ("500-accepted", DestinationBusyError, 500, None),
        ("500-rejected", DestinationBusyError, 500, None),
        ("503", DestinationBusyError, 503, 120),
        ("429", DestinationBusyError, 429, 7),
        ("400-html", DestinationRefusedError, 400, None),
        ("404-empty", DestinationRefusedError, 404, None),
        ("301", DestinationRefusedError, 301, None),
        ("200-empty", NoReplyError, 200, None),
        ("200-html", NoReplyError, 200, None),
        ("200-json", NoReplyError, 200, None),
        ("200-other", NoReplyError, 200, None),
        ("200-foreign", NoReplyError, 200, None),
        ("200-doctype", NoReplyError, 200, None),
        ("200-laughing", NoReplyError, 200, None),
        ("200-huge", NoReplyError, 200, None),
        ("200-own-words", NoReplyError, 200, None),
        ("200-two", NoReplyError, 200, None),
    ],
)
def test_each_fault_has_its_meaning_and_its_words_are_not_quoted(
    service: WorkService,
    destination: HttpsXml,
    conduct: str,
    error: type[DeliveryError],
    status: int,
    wish: float | None,
) -> None:
    with pytest.raises(DeliveryError) as caught:
        destination.send(parcel(service.address(conduct)), deadline=within())
    assert type(caught.value) is error
    assert caught.value.status == status
    assert caught.value.retry_after == (None if wish is None else timedelta(seconds=wish))
    told = "".join(traceback.format_exception(caught.value))
    assert not any(word in told for word in CANARY.split())


def test_a_rejection_says_why(service: WorkService, destination: HttpsXml) -> None:
    with pytest.raises(DestinationRefusedError, match="within-12-months"):
        destination.send(parcel(service.address("422-rejected")), deadline=within())


def test_a_duplicate_with_any_final_status_is_delivered(
    service: WorkService, destination: HttpsXml
) -> None:
    assert (
        destination.send(parcel(service.address("409-duplicate")), deadline=within()).status == 409
    )


def test_nothing_leaves_after_the_deadline(service: WorkService, destination: HttpsXml) -> None:
    sent = parcel(service.address("ok"))
    with pytest.raises(LeaseEndedError):
        destination.send(sent, deadline=within(-1))
    assert service.events(key=sent.delivery.id) == []
