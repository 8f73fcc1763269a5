"""The door of subscriptions: what it takes, what it refuses and why, and whom it tells."""

from dataclasses import replace
from typing import Any

import pytest

from gateway.journey.reach import Reach, read_hosts
from tests.builders.evidence import execute
from tests.builders.house import ALL_SCOPES, House
from tests.builders.subscribers import (
    BACKPORT,
    a_subscription,
    an_id,
    extension,
    let_out,
    secret_of,
    subscribed,
)

OTHER = "https://oh.example/other"


@pytest.fixture(autouse=True)
def _fresh(door: House) -> None:
    execute(door, "DELETE FROM subscription")
    let_out(door)


def told(answer: Any) -> dict[str, Any]:
    """The first issue of an answer."""
    issue: dict[str, Any] = answer.get_json()["issue"][0]
    return issue


def post(door: House, tree: dict[str, Any], client: str = "oh-one") -> Any:
    return door.post("/Subscription", tree, client=client)


def channel(**changes: Any) -> dict[str, Any]:
    """A subscription whose channel differs; None leaves an element out."""
    tree = a_subscription()
    changed = tree["channel"] | changes
    tree["channel"] = {name: value for name, value in changed.items() if value is not None}
    return tree


def test_a_subscription_is_shown_as_it_was_asked_for_with_its_bounds(door: House) -> None:
    made = subscribed(door, heartbeat=None, content=None, end="2027-01-01T00:00:00Z")
    assert made["end"] == "2027-01-01T00:00:00.000000Z"
    told = {e["url"].removeprefix(BACKPORT): e for e in made["channel"]["extension"]}
    assert told["backport-heartbeat-period"]["valueUnsignedInt"] == 300
    assert told["backport-timeout"]["valueUnsignedInt"] == 10
    assert told["backport-max-count"]["valuePositiveInt"] == 50
    assert made["channel"]["_payload"]["extension"][0]["valueCode"] == "id-only"
    assert secret_of(made).startswith("whsec_")
    answer = door.get(f"/Subscription/{made['id']}", client="oh-one")
    assert answer.headers["ETag"] == 'W/"1"'
    seen = door.bearer("oh-one") | {"If-None-Match": 'W/"1"'}
    path = f"/FHIR/R4/Subscription/{made['id']}"
    assert door.web.get(path, headers=seen).status_code == 304


def test_a_subscription_is_taken_and_shown_in_xml(door: House) -> None:
    made = subscribed(door)
    answer = door.get(f"/Subscription/{made['id']}", client="oh-one", _format="xml")
    body = answer.data.replace(b"oh.example/notifications", b"oh.example/xml")
    sent = {**door.bearer("oh-one"), "Content-Type": "application/fhir+xml"}
    again = door.web.post("/FHIR/R4/Subscription", data=body, headers=sent)
    assert again.status_code == 201
    assert again.get_json()["channel"]["endpoint"] == "https://oh.example/xml"


WHERE = "Subscription.channel.endpoint"


@pytest.mark.parametrize(
    ("tree", "fault"),
    [
        ({"resourceType": "Parameters"}, ("invalid", "Parameters")),
        (a_subscription(criteria="Task?status=requested"), ("not-supported", "Subscription.criteria")),
        (
            a_subscription(
                _criteria={"extension": extension("backport-filter-criteria", valueString="Task?x=1")}
            ),
            ("not-supported", "Subscription.criteria.extension"),
        ),
        (a_subscription(status="off"), ("business-rule", "Subscription.status")),
        (a_subscription(status="error"), ("business-rule", "Subscription.status")),
        (a_subscription(end="2026-11-22T08:00:00Z"), ("value", "Subscription.end")),
        (
            a_subscription(contact=[{"system": "phone", "value": "1"}]),
            ("not-supported", "Subscription.contact"),
        ),
        (channel(type="email"), ("not-supported", "Subscription.channel.type")),
        (channel(type="websocket"), ("not-supported", "Subscription.channel.type")),
        (
            channel(
                _type={
                    "extension": extension(
                        "backport-channel-type", valueCoding={"system": "urn:x", "code": "zulip"}
                    )
                }
            ),
            ("not-supported", "Subscription.channel.type"),
        ),
        (channel(payload=None, _payload=None), ("not-supported", "Subscription.channel.payload")),
        (channel(payload="text/plain"), ("not-supported", "Subscription.channel.payload")),
        (
            a_subscription(content="full-resource"),
            ("not-supported", "Subscription.channel.payload.extension"),
        ),
        (a_subscription(content="some"), ("value", "Subscription.channel.payload.extension")),
        (a_subscription(heartbeat=29), ("value", "Subscription.channel.extension")),
        (a_subscription(heartbeat=3601), ("value", "Subscription.channel.extension")),
        (
            channel(extension=extension("backport-max-count", valuePositiveInt=101)),
            ("value", "Subscription.channel.extension"),
        ),
        (
            channel(
                extension=[
                    *extension("backport-heartbeat-period", valueUnsignedInt=30),
                    *extension("backport-timeout", valueUnsignedInt=16),
                ]
            ),
            ("value", "Subscription.channel"),
        ),
        (channel(endpoint=None), ("required", WHERE)),
        (a_subscription("http://oh.example/x"), ("business-rule", WHERE)),
        (a_subscription("https://user:secret@oh.example/x"), ("business-rule", WHERE)),
        (a_subscription("https://oh.example/x#part"), ("business-rule", WHERE)),
        (a_subscription("https://oh.example:8443/x"), ("business-rule", WHERE)),
        (a_subscription("https://nowhere.invalid/x"), ("business-rule", WHERE)),
        (a_subscription("https:///x"), ("business-rule", WHERE)),
        (a_subscription("https://oh.example/" + "x" * 1024), ("business-rule", WHERE)),
        (a_subscription(header=["no colon"]), ("value", "Subscription.channel.header[0]")),
        (a_subscription(header=["X: 1", "Host: b"]), ("value", "Subscription.channel.header[1]")),
        (a_subscription(header=["webhook-id: b"]), ("value", "Subscription.channel.header[0]")),
        (a_subscription(header=["A: b", "a: c"]), ("value", "Subscription.channel.header")),
        (a_subscription(header=[f"X{n}: 1" for n in range(9)]), ("value", "Subscription.channel.header")),
    ],
)  # fmt: skip
def test_what_could_not_fire_is_refused_at_its_place(
    door: House, tree: dict[str, Any], fault: tuple[str, str]
) -> None:
    answer = post(door, tree)
    assert answer.status_code == 400
    found = [(i["code"], (i.get("expression") or [None])[0]) for i in answer.get_json()["issue"]]
    assert found == [fault]
    listed = door.get("/Subscription", client="oh-one").get_json()
    assert listed["total"] == 0


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
        "100.64.0.1", "0.0.0.1", "224.0.0.1", "240.0.0.1", "::1", "::", "fe80::1%eth0", "fd00::1",
        "ff02::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "no address",
    ],
)  # fmt: skip
def test_a_name_that_leads_to_a_neighbour_is_refused(door: House, address: str) -> None:
    let_out(door, Reach(look_up=lambda _: ["8.8.8.8", address]))
    answer = post(door, a_subscription())
    assert answer.status_code == 400
    assert "public Internet" in told(answer)["diagnostics"]


def test_a_neighbour_that_the_operator_named_is_taken(door: House) -> None:
    named = read_hosts("oh.example:8443 own-ca.pem")
    let_out(door, Reach(look_up=lambda _: ["127.0.0.1"], named=named))
    assert post(door, a_subscription("https://OH.example:8443/x")).status_code == 201
    assert post(door, a_subscription("https://oh.example/x")).status_code == 400


def test_an_organisation_without_a_service_that_is_no_practice_has_nothing_to_be_told(
    door: House,
) -> None:
    services = door.directory["services"]
    door.apply(services=[])
    answer = post(door, a_subscription())
    door.apply(services=services)
    assert answer.status_code == 400
    assert "offers a service" in told(answer)["diagnostics"]


def test_one_address_is_subscribed_once(door: House) -> None:
    subscribed(door)
    answer = post(door, a_subscription())
    assert answer.status_code == 409
    assert told(answer)["code"] == "duplicate"


def test_an_organisation_has_only_so_many(door: House) -> None:
    for number in range(20):
        assert post(door, a_subscription(f"https://oh.example/{number}")).status_code == 201
    answer = post(door, a_subscription())
    assert (answer.status_code, told(answer)["code"]) == (400, "business-rule")


def test_another_organisation_hears_of_no_subscription(door: House) -> None:
    made = subscribed(door)
    own = f"/Subscription/{made['id']}"
    for path in (own, f"{own}/$status", f"{own}/$events"):
        assert door.get(path, client="gp-one").status_code == 404, path
    put = door.put(own, a_subscription(status="off"), client="gp-one", If_Match='W/"1"')
    assert put.status_code == 404
    headers = door.bearer("gp-one")
    assert door.web.delete(f"/FHIR/R4{own}", headers=headers).status_code == 404
    assert door.get("/Subscription", client="gp-one").get_json()["total"] == 0
    assert "entry" not in door.get("/Subscription/$status", client="gp-one").get_json()
    assert door.get(own, client="oh-one").status_code == 200


@pytest.mark.parametrize("own", ["x", "11111111-1111-4111-8111-111111111111"])
def test_what_is_no_id_of_a_subscription_is_not_found(door: House, own: str) -> None:
    for path in ("", "/$status", "/$events"):
        assert door.get(f"/Subscription/{own}{path}", client="oh-one").status_code == 404


def test_subscriptions_are_found_by_id_status_and_address(door: House) -> None:
    one = subscribed(door)
    door.clock.move(seconds=1)
    two = subscribed(door, OTHER)

    def found(path: str = "", **query: str) -> list[str]:
        bundle = door.get(f"/Subscription{path}", client="oh-one", **query).get_json()
        return [each["resource"]["id"] for each in bundle.get("entry", [])]

    assert found() == [one["id"], two["id"]]
    assert found(_id=two["id"]) == [two["id"]]
    assert found(_id="x") == []
    assert found(url=OTHER) == [two["id"]]
    assert found(status="active") == []
    assert found("/$status") == [one["id"], two["id"]]
    assert found("/$status", id=f"{two['id']},{an_id()}") == [two["id"]]
    assert found("/$status", status="off") == []
    assert found("/$status", status="off,requested") == [one["id"], two["id"]]


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("", {"status": "asleep"}), ("", {"topic": "x"}), ("/$status", {"status": "asleep"}),
        ("/$status", {"_since": "1"}), ("/ID/$events", {"eventsSinceNumber": "0"}),
        ("/ID/$events", {"eventsSinceNumber": "1.5"}), ("/ID/$events", {"eventsUntilNumber": "-1"}),
        ("/ID/$events", {"content": "all"}), ("/ID/$events", {"_count": "1"}),
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_understood_is_refused(
    door: House, path: str, query: dict[str, str]
) -> None:
    path = path.replace("ID", subscribed(door)["id"])
    assert door.get(f"/Subscription{path}", client="oh-one", **query).status_code == 400


@pytest.mark.parametrize(
    "tree",
    [
        {"resourceType": "Basic", "code": {"text": "x"}},
        {"resourceType": "Parameters", "parameter": [{"name": "x", "valueString": "1"}]},
        {"resourceType": "Parameters", "parameter": [{"name": "content", "valueInteger": 1}]},
    ],
)
def test_an_operation_that_is_posted_takes_its_own_parameters_only(
    door: House, tree: dict[str, Any]
) -> None:
    own = subscribed(door)["id"]
    answer = door.post(f"/Subscription/{own}/$events", tree, client="oh-one")
    assert answer.status_code == 400


def test_whole_resources_are_never_told_even_where_they_are_wished_for(door: House) -> None:
    own = subscribed(door)["id"]
    path = f"/Subscription/{own}/$events"
    assert door.get(path, client="oh-one", content="full-resource").status_code == 200


def put(door: House, made: dict[str, Any], match: str = 'W/"1"', **changes: Any) -> Any:
    path = f"/Subscription/{made['id']}"
    return door.put(path, made | changes, client="oh-one", If_Match=match)


def test_only_status_end_and_headers_change(door: House) -> None:
    made = subscribed(door)
    off = put(door, made, status="off", end="2027-01-01T00:00:00Z")
    assert (off.status_code, off.headers["ETag"]) == (200, 'W/"2"')
    assert off.get_json()["end"].startswith("2027")
    moved = made["channel"] | {"endpoint": OTHER}
    answer = put(door, made, 'W/"2"', channel=moved)
    assert answer.status_code == 400
    assert "delete it and make another" in told(answer)["diagnostics"]
    headed = put(door, made, 'W/"2"', channel=made["channel"] | {"header": ["A: b"]})
    assert headed.headers["ETag"] == 'W/"3"'


def test_what_says_the_same_again_makes_no_version(door: House) -> None:
    made = subscribed(door)
    assert put(door, made).headers["ETag"] == 'W/"1"'


def test_a_change_needs_the_present_version(door: House) -> None:
    made = subscribed(door)
    assert put(door, made, 'W/"7"', status="off").status_code == 412
    assert put(door, made, "", status="off").status_code == 400


def test_switching_on_again_looks_the_address_up_again(door: House) -> None:
    made = subscribed(door)
    put(door, made, status="off")
    let_out(door, Reach(look_up=lambda _: ["10.0.0.1"]))
    assert put(door, made, 'W/"2"', status="requested").status_code == 400


def test_a_deleted_subscription_is_gone(door: House) -> None:
    made = subscribed(door)
    path = f"/FHIR/R4/Subscription/{made['id']}"
    assert door.web.delete(path, headers=door.bearer("oh-one")).status_code == 204
    assert door.web.delete(path, headers=door.bearer("oh-one")).status_code == 404
    assert post(door, a_subscription()).status_code == 201


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("POST", "/Subscription", "system/Subscription.c"),
        ("GET", "/Subscription", "system/Subscription.rs"),
        ("GET", "/Subscription/x/$events", "system/Subscription.rs"),
        ("PUT", "/Subscription/x", "system/Subscription.u"),
        ("DELETE", "/Subscription/x", "system/Subscription.d"),
    ],
)
def test_each_act_needs_its_own_scope(door: House, method: str, path: str, scope: str) -> None:
    others = " ".join(each for each in ALL_SCOPES if each != scope)
    granted = door.ask_for_token(door.assertion("oh-one"), scope=others).get_json()
    headers = {"Authorization": f"Bearer {granted['access_token']}"}
    answer = door.web.open(f"/FHIR/R4{path}", method=method, headers=headers)
    assert answer.status_code == 403


def test_nothing_may_be_posted_anywhere_unless_the_front_door_was_told_so(door: House) -> None:
    kept = door.app.extensions["house"]
    door.app.extensions["house"] = replace(kept, reach=Reach(look_up=lambda _: ()))
    assert post(door, a_subscription()).status_code == 400
