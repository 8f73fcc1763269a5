"""A MESH that lies: what its answers can do to us, and what they cannot."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import (
    DeliveryError,
    DestinationRefusedError,
    DestinationUnreachableError,
    LeaseEndedError,
    NoReplyError,
)
from gateway.outbound.https_line import Answer, HttpsLine, Posting
from gateway.outbound.mesh import Mailbox, Mesh
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import EndpointId
from tests.contracts.parcels import parcel, within

URL = "https://MESH.example"
SECRETS = {"password_file": "password", "shared_key_file": "shared-key"}


class FakeLine(HttpsLine):
    """A line whose far end says what it is told to."""

    def __init__(self, folder: Path, *answers: Answer | DeliveryError) -> None:
        for name in SECRETS.values():
            (folder / name).write_text("x")
        second = timedelta(seconds=1)
        super().__init__(
            certificates=folder, credentials=folder, connect_timeout=second, reply_timeout=second
        )
        self.answers = list(answers)
        self.asked: list[Posting] = []

    def exchange(self, posting: Posting, *, deadline: float) -> Answer:
        self.asked.append(posting)
        answer = self.answers.pop(0)
        if isinstance(answer, DeliveryError):
            raise answer
        return answer


def endpoint() -> Endpoint:
    named = {"recipient": "OHPROV1", "workflow": "REFERRAL", "mailbox": "GATEWAY1"}
    return Endpoint(
        id=EndpointId("to-mesh"), transport=Transport.MESH, format=Format.FHIR_TRANSACTION,
        address=URL, ca_file=None, parameters=named | SECRETS,
    )  # fmt: skip


def says(tree: Any, status: int = 200, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=json.dumps(tree).encode())


def mailbox(folder: Path, *answers: Answer) -> tuple[Mailbox, FakeLine]:
    line = FakeLine(folder, *answers)
    return Mailbox(line, endpoint()), line


@pytest.mark.parametrize(
    "link",
    ["https://elsewhere.example/x", "@elsewhere.example/x", ".elsewhere.example/x", ":444/x"],
)
def test_a_next_page_on_another_server_is_not_asked_for(tmp_path: Path, link: str) -> None:
    box, line = mailbox(tmp_path, says({"messages": ["A"], "links": {"next": link}}))
    with pytest.raises(NoReplyError):
        box.waiting(most=10, deadline=within())
    assert len(line.asked) == 1


def test_a_next_page_on_the_same_server_is(tmp_path: Path) -> None:
    box, line = mailbox(
        tmp_path,
        says({"messages": ["A"], "links": {"next": "/messageexchange/x"}}),
        says({"messages": ["B"], "links": {}}),
    )
    assert box.waiting(most=10, deadline=within()) == ["A", "B"]
    assert line.asked[1].address == "https://mesh.example/messageexchange/x"


def test_pages_without_end_are_followed_to_the_limit_only(tmp_path: Path) -> None:
    page = says({"messages": ["A"], "links": {"next": "/again"}})
    box, line = mailbox(tmp_path, *[page] * 9)
    assert box.waiting(most=3, deadline=within()) == ["A"] * 3
    assert len(line.asked) == 3


@pytest.mark.parametrize("tree", [{"messages": None}, {"links": None}, [], "text", None])
def test_a_list_that_is_none_is_an_answer_that_is_not_usable(tmp_path: Path, tree: Any) -> None:
    box, _ = mailbox(tmp_path, says(tree))
    with pytest.raises(NoReplyError):
        box.waiting(most=10, deadline=within())


def test_a_name_that_would_lead_elsewhere_is_left_out(tmp_path: Path) -> None:
    names = ["../outbox", "A/B", "GOOD", 7, None, "x" * 65, "A B", ""]
    box, _ = mailbox(tmp_path, says({"messages": names}))
    assert box.waiting(most=10, deadline=within()) == ["GOOD"]


@pytest.mark.parametrize("range_", ["x:y", "1", "1:2:3", ""])
def test_a_message_with_a_broken_head_is_not_usable(tmp_path: Path, range_: str) -> None:
    box, _ = mailbox(tmp_path, says({}, Mex_Chunk_Range=range_))
    with pytest.raises(NoReplyError):
        box.read("A", deadline=within())


def test_a_refusal_to_show_a_message_is_one(tmp_path: Path) -> None:
    box, _ = mailbox(tmp_path, says({}, 400), says({}, 400))
    with pytest.raises(DestinationRefusedError):
        box.read("A", deadline=within())
    with pytest.raises(DestinationRefusedError):
        box.is_collected("A", deadline=within())


@pytest.mark.parametrize("tree", [[], "text", {"status": None}, {}])
def test_tracking_that_says_nothing_says_that_it_is_not_collected_or_is_not_usable(
    tmp_path: Path, tree: Any
) -> None:
    box, _ = mailbox(tmp_path, says(tree))
    try:
        assert not box.is_collected("A", deadline=within())
    except NoReplyError:
        assert not isinstance(tree, dict)


@pytest.mark.parametrize(
    "tree",
    [
        [], "text", {}, {"message_id": 7}, {"message_id": "a b"}, {"message_id": "x" * 65},
        {"message_id": "A", "detail": "no"}, {"message_id": "A", "errorDescription": "no"},
    ],
)  # fmt: skip
def test_a_success_that_names_no_message_is_not_believed(tmp_path: Path, tree: Any) -> None:
    sent = replace(parcel(URL), endpoint=endpoint())
    with pytest.raises(NoReplyError) as caught:
        Mesh(FakeLine(tmp_path, says(tree, 202))).send(sent, deadline=within())
    assert caught.value.may_have_arrived


@pytest.mark.parametrize(
    ("found", "receipt"),
    [
        (says({"messageId": "OLD", "recipient": "ohprov1", "status": "Accepted"}), "OLD"),
        (says({"message_id": "OLD", "recipient": "OHPROV1", "status": "acknowledged"}), "OLD"),
        (says({"messageId": "OLD", "recipient": "OHPROV1", "status": "uploading"}), "NEW"),
        (says({"messageId": "OLD", "recipient": "OHPROV1", "status": "undeliverable"}), "NEW"),
        (says({"messageId": "OLD", "recipient": "OTHER1", "status": "accepted"}), "NEW"),
        (says({"messageId": "a b", "recipient": "OHPROV1", "status": "accepted"}), "NEW"),
        (says({}), "NEW"),
        (says({}, 404), "NEW"),
        (says({}, 300), "NEW"),
        (says({}, 410), "NEW"),
    ],
)
def test_only_what_mesh_has_for_this_recipient_is_not_sent_again(
    tmp_path: Path, found: Answer, receipt: str
) -> None:
    made = parcel(URL)
    unknown = replace(made.delivery, may_have_arrived=True)
    line = FakeLine(tmp_path, found, says({"message_id": "NEW"}, 202))
    done = Mesh(line).send(replace(made, endpoint=endpoint(), delivery=unknown), deadline=within())
    assert done.receipt == receipt
    methods = ["GET", "POST"] if receipt == "NEW" else ["GET"]
    assert [each.method for each in line.asked] == methods


@pytest.mark.parametrize("found", [says([]), says({}, 400), says({}, 503), says({}, 403)])
def test_where_mesh_does_not_say_whether_it_has_it_nothing_is_sent(
    tmp_path: Path, found: Answer
) -> None:
    made = parcel(URL)
    unknown = replace(made.delivery, may_have_arrived=True)
    line = FakeLine(tmp_path, found)
    with pytest.raises(Exception, match=r"MESH|destination") as caught:
        Mesh(line).send(replace(made, endpoint=endpoint(), delivery=unknown), deadline=within())
    assert [each.method for each in line.asked] == ["GET"]
    assert not isinstance(caught.value, IndexError)


@pytest.mark.parametrize(
    "failure", [LeaseEndedError("over"), DestinationUnreachableError("gone"), NoReplyError("lost")]
)
def test_what_fails_between_two_chunks_may_have_arrived(
    tmp_path: Path, failure: DeliveryError
) -> None:
    sent = replace(parcel(URL), endpoint=endpoint())
    for answers, told in (([], type(failure)), ([says({"message_id": "A"}, 202)], NoReplyError)):
        line = FakeLine(tmp_path, *answers, failure)
        with pytest.raises(DeliveryError) as caught:
            Mesh(line, chunk_bytes=1000).send(sent, deadline=within())
        assert type(caught.value) is told
        assert len(line.asked) == 1 + len(answers)


def test_a_deadline_that_passes_after_the_search_is_one_before_the_first_byte(
    tmp_path: Path,
) -> None:
    made = parcel(URL)
    unknown = replace(made.delivery, may_have_arrived=True)
    line = FakeLine(tmp_path, says({}, 404), LeaseEndedError("over"))
    with pytest.raises(LeaseEndedError):
        Mesh(line).send(replace(made, endpoint=endpoint(), delivery=unknown), deadline=within())


def test_each_request_has_a_token_of_its_own_and_tells_no_secret(tmp_path: Path) -> None:
    line = FakeLine(tmp_path, *[says({"message_id": "A"}, 202)] * 2)
    sent = replace(parcel(URL), endpoint=endpoint())
    for _ in range(2):
        Mesh(line).send(sent, deadline=within())
    tokens = [posting.headers["Authorization"] for posting in line.asked]
    assert len(set(tokens)) == 2
    assert all(posting.headers["Accept-Encoding"] == "identity" for posting in line.asked)
    assert all(posting.body == sent.body for posting in line.asked)
