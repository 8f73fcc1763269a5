"""Subscriptions for tests: what a provider asks for, events in its list, and what it was told."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway.errors import DeliveryError
from gateway.journey.notify import Letter, notify_next
from gateway.journey.reach import Reach
from gateway.referral.identifiers import DeliveryId, OdsCode, SubscriptionId
from gateway.referral.subscriptions import TOPIC, Subscription
from gateway.store import feeds, subscriptions
from gateway.store.feeds import FeedKind
from tests.builders.evidence import execute, the_delivery
from tests.builders.house import House
from tests.builders.messages import PROVIDER, service_request

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/"
ADDRESS = "https://oh.example/notifications"
BASE_URL = "http://gateway.example/FHIR/R4"
SECRET = "https://fhir.referral-gateway.example/StructureDefinition/webhook-secret"
PUBLIC = "8.8.8.8"


@dataclass
class FakePost:
    """A subscriber that keeps what it takes, and fails as it is told."""

    letters: list[Letter] = field(default_factory=list)
    seen: list[Letter] = field(default_factory=list)
    failures: list[DeliveryError] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    def post(self, letter: Letter, *, deadline: float) -> None:
        self.seen.append(letter)
        self.meanwhile()
        if self.failures:
            raise self.failures.pop(0)
        self.letters.append(letter)


def let_out(house: House, reach: Reach | None = None) -> None:
    """Let subscriptions of this house name hosts of the public Internet, as a test sees them."""
    found = reach or Reach(look_up=lambda host: [PUBLIC] if host.endswith(".example") else [])
    house.app.extensions["house"] = replace(house.app.extensions["house"], reach=found)


def a_subscription(
    address: str = ADDRESS,
    *,
    payload: str = "application/fhir+json",
    content: str | None = "id-only",
    heartbeat: int | None = 60,
    header: Sequence[str] = (),
    **changes: Any,
) -> dict[str, Any]:
    """What a provider posts; `changes` replace elements, None leaves one out."""
    channel: dict[str, Any] = {
        "extension": [
            *extension("backport-heartbeat-period", valueUnsignedInt=heartbeat),
        ],
        "type": "rest-hook",
        "endpoint": address,
        "payload": payload,
    }
    if not channel["extension"]:
        del channel["extension"]
    if content is not None:
        channel["_payload"] = {
            "extension": extension("backport-payload-content", valueCode=content)
        }
    if header:
        channel["header"] = list(header)
    tree = {
        "resourceType": "Subscription",
        "status": "requested",
        "reason": "To be told",
        "criteria": TOPIC,
        "channel": channel,
    } | changes
    return {name: value for name, value in tree.items() if value is not None}


def extension(name: str, **value: Any) -> list[dict[str, Any]]:
    return [] if None in value.values() else [{"url": f"{BACKPORT}{name}", **value}]


def subscribed(house: House, address: str = ADDRESS, **asked: Any) -> dict[str, Any]:
    """Subscribe as the provider; return what was answered."""
    let_out(house)
    answer = house.post("/Subscription", a_subscription(address, **asked), client="oh-one")
    assert answer.status_code == 201, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def secret_of(made: dict[str, Any]) -> str:
    """The secret in the answer to a creation."""
    (found,) = [e["valueString"] for e in made["channel"]["extension"] if e["url"] == SECRET]
    return str(found)


def a_task(house: House) -> DeliveryId:
    """A Task of the provider's, of which its list says nothing: each test begins with none."""
    answer = house.post("/ServiceRequest", service_request())
    assert answer.status_code == 201
    execute(house, "UPDATE delivery SET next_at = :never", never="2099-01-01 00:00:00+00:00")
    execute(house, "DELETE FROM feed_event")
    execute(house, "DELETE FROM feed_head")
    return the_delivery(house).id


def happen(house: House, task: DeliveryId, count: int = 1, subscriber: str = PROVIDER) -> None:
    """Put events into a provider's list."""
    with house.gateway.store.transaction(house.clock()) as tx:
        for _ in range(count):
            feeds.append(tx, OdsCode(subscriber), FeedKind.REFERRAL, task)


def tell(house: House, post: FakePost, *, only_well: bool = False) -> bool:
    """Make one attempt, if anything is due."""
    return notify_next(house.gateway, post, base_url=BASE_URL, only_well=only_well)


def tell_all(house: House, post: FakePost) -> int:
    """Tell whatever is due now; return how many attempts that took."""
    done = 0
    while tell(house, post):
        done += 1
        assert done < 100, "there is no end to it"
    return done


def confirmed(house: House, post: FakePost, **asked: Any) -> dict[str, Any]:
    """Subscribe, and have the handshake taken."""
    made = subscribed(house, **asked)
    assert tell_all(house, post) == 1
    assert "_handshake_" in post.letters.pop().headers["webhook-id"]
    post.seen.clear()
    return made


def row(house: House, made: dict[str, Any]) -> Subscription:
    """How a subscription stands in the store."""
    with house.gateway.store.reading() as view:
        return subscriptions.find(view, OdsCode(PROVIDER), SubscriptionId(made["id"]))


def said(letter: Letter) -> dict[str, Any]:
    """What a Bundle says, by the names of its parameters; `events` are (number, focus)."""
    bundle = json.loads(letter.body)
    assert bundle["type"] == "history"
    return parameters_of(bundle["entry"][0]["resource"])


def parameters_of(tree: dict[str, Any]) -> dict[str, Any]:
    """The parameters of a status: texts by name; events; troubles."""
    found: dict[str, Any] = {"events": [], "troubles": []}
    for each in tree["parameter"]:
        if each["name"] == "notification-event":
            parts = {part["name"]: part for part in each["part"]}
            focus = parts.get("focus", {}).get("valueReference", {}).get("reference")
            found["events"].append((int(parts["event-number"]["valueString"]), focus))
        elif each["name"] == "error":
            found["troubles"].append(each["valueCodeableConcept"]["coding"][0]["code"])
        else:
            (value,) = [value for name, value in each.items() if name != "name"]
            found[each["name"]] = value["reference"] if isinstance(value, dict) else value
    return found


def numbers(letters: Sequence[Letter]) -> list[list[int]]:
    """The numbers of the events in each letter that has any."""
    found = [[number for number, _ in said(each)["events"]] for each in letters]
    return [each for each in found if each]


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Whether a message carries a good signature: Standard Webhooks, read anew from its text."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    lower = {name.lower(): value for name, value in headers.items()}
    content = b".".join([lower["webhook-id"].encode(), lower["webhook-timestamp"].encode(), body])
    wanted = base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
    versions = [each.partition(",") for each in lower["webhook-signature"].split(" ")]
    return any(version == "v1" and given == wanted for version, _, given in versions)


def an_id() -> str:
    return str(uuid.uuid4())
