"""Gateway to gateway: what we send as BaRS is what our own BaRS door takes, and takes back."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from joserfc.jwk import RSAKey
from requests.structures import CaseInsensitiveDict

from gateway.errors import DestinationRefusedError, Phase
from gateway.fhir.json_text import read_json
from gateway.journey.deliver import deliver_next
from gateway.journey.gateway import Gateway
from gateway.mapping.bars_message import PERSON_SYSTEM, BarsMessage
from gateway.outbound.bars import Bars
from gateway.outbound.client_token import ClientTokens
from gateway.outbound.https_line import Answer, HttpsLine, Posting
from gateway.referral.directory import Format, Transport
from gateway.referral.identifiers import OdsCode
from gateway.referral.lifecycle import ReferralState, RequestStatus
from tests.builders.embedded import embedded_house
from tests.builders.evidence import id_in, kinds, take_back, the_referral
from tests.builders.house import ALL_SCOPES, House, own_profiles
from tests.builders.messages import DOS, OH_SERVICE, PRACTICE, bars_headers, bars_message
from tests.builders.rows import a_delivery, a_referral
from tests.contracts.bars_parcels import endpoint, parcel_to, wrapped

KEY = "gp-gateway.pem"
KEY_ID = "gp-gateway-1"


class IntoDoor(HttpsLine):
    """A line that ends at the front door of another gateway in this process."""

    def __init__(self, folder: Path, far: House) -> None:
        no_time = timedelta(0)
        super().__init__(
            certificates=folder, credentials=folder, connect_timeout=no_time, reply_timeout=no_time
        )
        self.far = far
        self.posted: list[tuple[Posting, Answer]] = []

    def exchange(self, posting: Posting, *, deadline: float) -> Answer:
        assert deadline > 0
        path = urlsplit(posting.address).path
        told = self.far.web.post(path, data=posting.body, headers=dict(posting.headers))
        answer = Answer(
            status=told.status_code, headers=CaseInsensitiveDict(told.headers), body=told.data
        )
        self.posted.append((posting, answer))
        return answer

    def messages(self) -> list[tuple[Posting, Answer]]:
        return [both for both in self.posted if both[0].address.endswith("$process-message")]


@dataclass
class Pair:
    """A gateway that sends as BaRS, and one that receives."""

    near: House
    far: House
    line: IntoDoor
    gateway: Gateway

    def accept(self, tree: Any = None) -> str:
        answer = self.near.post("/$process-message", tree or bars_message(), **bars_headers())
        assert answer.status_code == 200
        return str(the_referral(self.near).id)

    def deliver(self) -> None:
        assert deliver_next("w", self.gateway)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    key = RSAKey.generate_key(2048, {"kid": KEY_ID})
    (tmp_path / KEY).write_bytes(key.as_pem(private=True))
    folders = [tmp_path / name for name in ("near", "far")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as stack:
        near, far = (stack.enter_context(embedded_house(folder)) for folder in folders)
        jwks = {"keys": [key.as_dict(private=False)]}
        client = {"id": "gp-gateway", "ods": PRACTICE, "scopes": ALL_SCOPES, "jwks": jwks}
        far.apply(clients=[*far.directory["clients"], client])
        near.apply(endpoints=[bars_endpoint(), *near.directory["endpoints"][1:]])
        line = IntoDoor(tmp_path, far)
        gateway = replace(
            near.gateway,
            writers={Format.BARS_MESSAGE: BarsMessage(own_profiles(), by=OdsCode("XGW01"))},
            destinations={Transport.BARS: Bars(line, ClientTokens(line, clock=far.clock))},
        )
        yield Pair(near, far, line, gateway)


def bars_endpoint() -> dict[str, Any]:
    return {
        "id": "oh", "transport": "bars", "address": "https://gateway.example/FHIR/R4",
        "parameters": {
            "target_identifier": f"{DOS}|{OH_SERVICE}",
            "source_identifier": f"{DOS}|9000000777",
            "token_url": "http://gateway.example/FHIR/R4/oauth2/token",
            "client_id": "gp-gateway", "key_id": KEY_ID, "key_file": KEY,
        },
    }  # fmt: skip


def test_a_referral_arrives_at_the_other_gateway_and_goes_on_from_there(pair: Pair) -> None:
    pair.accept()
    pair.deliver()
    near, far = the_referral(pair.near), the_referral(pair.far)
    assert (near.state, far.state) == (ReferralState.DELIVERED, ReferralState.QUEUED)
    assert far.correlation_id == near.correlation_id
    assert far.practice == near.practice
    assert far.purpose == near.purpose


def test_what_arrived_is_what_the_practice_sent(pair: Pair) -> None:
    sent = bars_message()
    pair.accept(sent)
    pair.deliver()
    arrived: Any = json.loads(pair.line.messages()[0][0].body or b"")

    def said(tree: Any) -> list[Any]:
        kept = []
        for entry in tree["entry"]:
            resource = dict(entry["resource"])
            if resource["resourceType"] in ("Condition", "CarePlan", "Consent", "Encounter"):
                for name in ("meta", "subject", "patient", "encounter", "addresses", "performer"):
                    resource.pop(name, None)
                kept.append(resource)
        return kept

    assert said(arrived) == said(sent)
    assert arrived["timestamp"] == sent["timestamp"]


def test_a_recall_takes_it_back_there(pair: Pair) -> None:
    own = pair.accept()
    pair.deliver()
    assert take_back(pair.near, own).status_code == 200
    pair.deliver()
    near, far = the_referral(pair.near), the_referral(pair.far)
    assert (near.state, far.state) == (ReferralState.CLOSED, ReferralState.CLOSED)
    assert far.status is RequestStatus.REVOKED
    assert "referral.cancelled" in kinds(pair.far)
    recall = (pair.line.messages()[1][0].body or b"").decode()
    assert not [word for word in ("9990000018", "Testperson", "1980") if word in recall]


def test_an_attempt_whose_answer_was_lost_is_a_duplicate_there(pair: Pair) -> None:
    pair.accept()
    pair.deliver()
    posting, _ = pair.line.messages()[0]
    again = pair.line.exchange(posting, deadline=1)
    assert (again.status, again.says_duplicate()) == (409, True)


def test_a_form_with_a_practitioner_arrives_as_a_message(pair: Pair) -> None:
    folder = Path(__file__).parents[2] / "mappings" / "bars" / "in"
    answer = pair.near.post("/ServiceRequest", json.loads((folder / "form.json").read_text()))
    assert answer.status_code == 201
    pair.deliver()
    assert the_referral(pair.near).state is ReferralState.DELIVERED
    assert the_referral(pair.far).state is ReferralState.QUEUED
    assert id_in(answer.headers["Location"]) != the_referral(pair.far).id


def test_another_persons_recall_is_refused_there(pair: Pair) -> None:
    pair.accept()
    pair.deliver()
    own = the_referral(pair.near)
    recall = replace(a_delivery(), reason="CANCELLED_BY_SENDER")
    to = endpoint("https://gateway.example/FHIR/R4", target_identifier=f"{DOS}|{OH_SERVICE}")
    writer = BarsMessage(own_profiles(), by=OdsCode("XGW01"))
    other = replace(a_referral(), reference=own.reference)  # the same reference, another person
    body = writer.write_recall(other, recall, to)
    sender = Bars(pair.line, ClientTokens(pair.line))
    parameters = bars_endpoint()["parameters"]
    sent = wrapped(body, own, recall, replace(to, parameters=parameters))
    tokens = ClientTokens(pair.line, clock=pair.far.clock)
    sender = Bars(pair.line, tokens)
    with pytest.raises(DestinationRefusedError) as caught:
        sender.send(sent, deadline=1e9)
    assert caught.value.phase is Phase.REFUSED
    assert the_referral(pair.far).status is RequestStatus.ACTIVE


def test_the_persons_name_in_a_referral_is_of_that_referral_alone() -> None:
    to = endpoint("https://gateway.example/FHIR/R4")
    names = set()
    for _ in range(2):
        tree: Any = read_json(parcel_to(to).body)
        (patient,) = [
            e["resource"] for e in tree["entry"] if e["resource"]["resourceType"] == "Patient"
        ]
        names |= {i["value"] for i in patient["identifier"] if i["system"] == PERSON_SYSTEM}
    assert len(names) == 2
