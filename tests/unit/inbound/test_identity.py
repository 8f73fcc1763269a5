"""Who may enter: a signed assertion of a registered client, used once; then a bearer token."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey

from tests.builders.embedded import embedded_house
from tests.builders.evidence import entries, issues, nhs_codes
from tests.builders.house import ALL_SCOPES, House
from tests.builders.messages import PRACTICE, service_request

TOKEN_URL = "http://gateway.example/FHIR/R4/oauth2/token"
CLIENT = "gp-rsa"


@dataclass
class Door:
    """A gateway with one more client, whose keys are of every kind."""

    house: House
    keys: dict[str, Key]

    def sign(
        self, *, alg: str = "RS512", kid: str | None = "rsa", key: Key | None = None, **changed: Any
    ) -> str:
        now = int(self.house.clock.now.timestamp())
        claims = {
            "iss": CLIENT,
            "sub": CLIENT,
            "aud": TOKEN_URL,
            "exp": now + 60,
            "jti": f"jti-{base64.b32encode(json.dumps(changed).encode())[:20].decode()}-{id(changed)}",
        } | changed
        claims = {name: value for name, value in claims.items() if value is not None}
        header = {"alg": alg} | ({"kid": kid} if kid else {})
        used = key or self.keys["ec" if alg.startswith("ES") else "rsa"]
        return jwt.encode(header, claims, used, algorithms=[alg])

    def refusal(self, assertion: str, **form: str) -> tuple[int, str]:
        """Ask for a token that must be refused, and see that the refusal is on record."""
        before = entries(self.house, "token.refused")
        answer = self.house.ask_for_token(assertion, **form)
        after = entries(self.house, "token.refused")
        assert len(after) == len(before) + 1
        assert after[-1]["code"] == answer.get_json()["error"]
        assert answer.headers["Cache-Control"] == "no-store"
        return answer.status_code, answer.get_json()["error"]


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    keys: dict[str, Key] = {
        "rsa": RSAKey.generate_key(2048, {"kid": "rsa"}),
        "ec": ECKey.generate_key("P-384", {"kid": "ec"}),
    }
    with embedded_house(tmp_path_factory.mktemp("door")) as house:
        jwks = {"keys": [key.as_dict(private=False) for key in keys.values()]}
        one = {"id": CLIENT, "ods": PRACTICE, "scopes": ALL_SCOPES[:1], "jwks": jwks}
        house.apply(clients=[*house.directory["clients"], one])
        yield Door(house=house, keys=keys)


@pytest.mark.parametrize(("alg", "kid"), [("RS384", "rsa"), ("RS512", "rsa"), ("ES384", "ec")])
def test_each_algorithm_of_the_list_is_taken(door: Door, alg: str, kid: str) -> None:
    answer = door.house.ask_for_token(door.sign(alg=alg, kid=kid))
    body = answer.get_json()
    assert (answer.status_code, body["token_type"], body["expires_in"]) == (200, "Bearer", 600)
    assert body["scope"] == ALL_SCOPES[0]
    assert answer.headers["Cache-Control"] == "no-store"
    assert entries(door.house, "token.issued")[-1]["client"] == CLIENT


def unsigned(claims: dict[str, Any]) -> str:
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, claims)]
    return ".".join(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts) + "."


def test_an_unsigned_assertion_is_refused(door: Door) -> None:
    claims = json.loads(base64.urlsafe_b64decode(door.sign().split(".")[1] + "=="))
    assert door.refusal(unsigned(claims)) == (401, "invalid_client")


@pytest.mark.parametrize("alg", ["RS256", "PS512"])
def test_an_algorithm_that_is_not_on_the_list_is_refused(door: Door, alg: str) -> None:
    assert door.refusal(door.sign(alg=alg)) == (401, "invalid_client")


def test_a_public_key_used_as_a_shared_secret_is_refused(door: Door) -> None:
    secret = OctKey.import_key(str(door.keys["rsa"].as_dict(private=False)["n"]))
    assert door.refusal(door.sign(alg="HS256", key=secret)) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("alg", "kid"), [("RS512", "ec"), ("ES384", "rsa"), ("RS512", "nobody"), ("RS512", "")]
)
def test_a_key_id_that_does_not_fit_the_signature_is_refused(
    door: Door, alg: str, kid: str
) -> None:
    assert door.refusal(door.sign(alg=alg, kid=kid, key=None if kid else _stranger())) == (
        401,
        "invalid_client",
    )


def _stranger() -> Key:
    return RSAKey.generate_key(2048, {"kid": "rsa"})


def test_a_signature_of_another_key_is_refused(door: Door) -> None:
    assert door.refusal(door.sign(key=_stranger())) == (401, "invalid_client")


def test_a_body_changed_after_signing_is_refused(door: Door) -> None:
    head, _, signature = door.sign().split(".")
    other = door.sign(sub="another").split(".")[1]
    assert door.refusal(f"{head}.{other}.{signature}") == (401, "invalid_client")


NOW = 1795338000
"""Where the clock of the tests stands, in seconds since 1970."""


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "https://elsewhere.example/token"},
        {"aud": TOKEN_URL + "/"},
        {"aud": [TOKEN_URL, "https://elsewhere.example"]},
        {"aud": None},
        {"sub": "gp-one"},
        {"sub": None},
        {"exp": NOW - 10},
        {"exp": NOW + 311},
        {"exp": None},
        {"exp": "soon"},
        {"exp": -1},
        {"exp": 1e300},
        {"nbf": NOW + 11},
        {"nbf": "later"},
        {"jti": None},
        {"jti": "short"},
        {"jti": "x" * 129},
        {"jti": "nul-\x00-inside"},
        {"jti": "outside-\u00e9-ascii"},
        {"jti": 12345678},
    ],
    ids=repr,
)
def test_a_claim_that_is_missing_or_wrong_is_refused(door: Door, changed: dict[str, Any]) -> None:
    assert int(door.house.clock.now.timestamp()) == NOW
    assert door.refusal(door.sign(**changed)) == (401, "invalid_client")


@pytest.mark.parametrize(
    "changed",
    [{"exp": NOW - 9}, {"exp": NOW + 310}, {"nbf": NOW + 10}, {"aud": [TOKEN_URL]}],
    ids=repr,
)
def test_a_claim_at_the_edge_of_what_is_allowed_is_taken(
    door: Door, changed: dict[str, Any]
) -> None:
    assert door.house.ask_for_token(door.sign(**changed)).status_code == 200


@pytest.mark.parametrize("issuer", ["nobody-here", "", None, 7, "9990000018 9990000018"])
def test_a_client_that_nobody_registered_is_refused_and_not_repeated(
    door: Door, issuer: object
) -> None:
    assert door.refusal(door.sign(iss=issuer)) == (401, "invalid_client")
    last = entries(door.house, "token.refused")[-1]
    assert (last["actor"], last["practice"]) == ("unknown", None)


@pytest.mark.parametrize(
    "assertion",
    ["", ".", "..", "a.b.c", "é.é.é", "e30.e30.e30", "A" * 9000, "e30.W10.e30", "bnVsbA.bnVsbA."],
)
def test_an_assertion_that_is_garbage_is_refused(door: Door, assertion: str) -> None:
    assert door.refusal(assertion) == (401, "invalid_client")


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"client_assertion_type": "jwt"}, "invalid_request"),
        ({"scope": "system/Everything.cruds"}, "invalid_scope"),
        ({"scope": "system/Task.rs"}, "invalid_scope"),
    ],
)
def test_a_form_that_asks_for_something_else_is_refused(
    door: Door, form: dict[str, str], error: str
) -> None:
    assert door.refusal(door.sign(), **form) == (400, error)


def test_a_request_without_a_form_is_refused(door: Door) -> None:
    answer = door.house.web.post("/FHIR/R4/oauth2/token", json={})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unsupported_grant_type")


def test_a_form_that_is_too_long_is_refused_unread(door: Door) -> None:
    answer = door.house.ask_for_token("A" * 20_000)
    assert (answer.status_code, issues(answer)) == (413, [("too-long", None)])


def test_an_assertion_is_good_once(door: Door) -> None:
    assertion = door.sign()
    assert door.house.ask_for_token(assertion).status_code == 200
    assert door.refusal(assertion) == (401, "invalid_client")


def test_an_assertion_is_remembered_for_as_long_as_a_slow_clock_would_take_it(
    door: Door,
) -> None:
    # It was forgotten at its end, and taken again in the seconds of leeway after it.
    start, assertion = door.house.clock.now, door.sign()
    assert door.house.ask_for_token(assertion).status_code == 200
    door.house.clock.move(seconds=65)
    assert door.house.ask_for_token(door.sign(exp=NOW + 200)).status_code == 200
    assert door.refusal(assertion) == (401, "invalid_client")
    door.house.clock.now = start


def test_a_token_carries_only_the_scope_that_was_asked_for(door: Door) -> None:
    answer = door.house.ask_for_token(door.house.assertion("gp-one"), scope="system/Task.rs")
    token = answer.get_json()["access_token"]
    assert answer.get_json()["scope"] == "system/Task.rs"
    read = door.house.web.get("/FHIR/R4/Task", headers={"Authorization": f"Bearer {token}"})
    assert read.status_code == 200
    denied = door.house.web.post(
        "/FHIR/R4/ServiceRequest", headers={"Authorization": f"Bearer {token}"}
    )
    assert (denied.status_code, issues(denied)) == (403, [("forbidden", None)])
    last = entries(door.house, "access.refused")[-1]
    assert (last["actor"], last["ods"]) == ("gp-one", last["practice"])
    assert (last["code"], last["scopes"]) == ("scope-missing", ["system/ServiceRequest.c"])


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "login"),
        ("", "login"),
        ("Bearer", "login"),
        ("Bearer ", "login"),
        ("Basic Z3A6b25l", "login"),
        ("Bearer never-issued", "unknown"),
    ],
)
def test_a_caller_without_a_good_token_is_told_to_bring_one(
    door: Door, authorization: str | None, code: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = door.house.web.get("/FHIR/R4/Task", headers=headers)
    assert (answer.status_code, issues(answer)) == (401, [(code, None)])
    assert nhs_codes(answer) == {"REC_UNAUTHORIZED"}
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_an_expired_token_is_told_from_one_that_was_never_issued(door: Door) -> None:
    headers, start = door.house.bearer("gp-two"), door.house.clock.now
    assert door.house.web.get("/FHIR/R4/Task", headers=headers).status_code == 200
    door.house.clock.move(minutes=10)
    answer = door.house.web.get("/FHIR/R4/Task", headers=headers)
    assert (answer.status_code, issues(answer)) == (401, [("expired", None)])
    door.house.clock.now = start


def test_an_expired_token_is_forgotten_after_a_day(door: Door) -> None:
    start = door.house.clock.now
    headers = door.house.bearer("oh-one")
    door.house.clock.move(days=2)
    assert door.house.ask_for_token(door.house.assertion("gp-one")).status_code == 200
    answer = door.house.web.get("/FHIR/R4/Task", headers=headers)
    assert issues(answer) == [("unknown", None)]
    door.house.clock.now = start
    door.house.tokens.clear()


def test_a_token_speaks_for_one_organisation_only(door: Door) -> None:
    answer = door.house.post("/ServiceRequest", service_request(), client="gp-two")
    assert (answer.status_code, issues(answer)) == (
        403,
        [("forbidden", "ServiceRequest.requester")],
    )
    assert entries(door.house, "referral.rejected")[-1]["codes"] == ["REC_FORBIDDEN", "forbidden"]
