"""A patient whose every word is unmistakable, to be found wherever it should not be."""

import base64
import hashlib
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import quote, quote_plus

from tests.builders.messages import Tree, bars_message, consent, patient, service_request

NUMBER = "9990548609"
FAMILY = "Quetzalcanary"
GIVEN = "Zephyrina"
STREET = "17 Xylophone Wharf"
POSTCODE = "ZZ99 3VZ"
PHONE = "07700900461"
BORN = "1931-07-19"
FREE_TEXT = "wombatitis since the ballooning accident"
NHS_SYSTEM = "https://fhir.nhs.uk/Id/nhs-number"
LOCAL_ID = "UBRN-000099887766"

WORDS = (NUMBER, FAMILY, GIVEN, STREET, POSTCODE, PHONE, BORN, FREE_TEXT, LOCAL_ID)


def canary_patient(**more: Any) -> Tree:
    return patient(NUMBER) | {
        "name": [{"family": FAMILY, "given": [GIVEN]}],
        "birthDate": BORN,
        "address": [{"line": [STREET], "postalCode": POSTCODE}],
        "telecom": [{"system": "phone", "value": PHONE}],
        **more,
    }


def canary_referral(**more: Any) -> Tree:
    tree = service_request(person=canary_patient(), **more)
    tree["identifier"] = [{"system": "https://gp.example/referral", "value": LOCAL_ID}]
    tree["reasonCode"] = [{"text": FREE_TEXT}]
    tree["note"] = [{"text": f"{GIVEN} {FAMILY} {NUMBER}"}]
    return tree


def canary_message(**more: Any) -> Tree:
    message = bars_message(**({"consents": [consent()]} | more))
    for entry in message["entry"]:
        resource = entry["resource"]
        if resource["resourceType"] == "Patient":
            resource |= {
                k: v for k, v in canary_patient().items() if k not in ("id", "generalPractitioner")
            }
        if resource["resourceType"] == "Condition":
            resource["code"] = {"text": FREE_TEXT}
    return message


@cache
def forms_of(word: str) -> frozenset[str]:
    """Every way in which a word might be written down without being plain, in lower case."""
    return frozenset(each.lower() for each in _forms(word) if len(each) >= len(word))


def _forms(word: str) -> Iterator[str]:
    raw = word.encode()
    yield from (word, quote(word), quote_plus(word), raw.hex(), word[::-1])
    yield from _in_base64(raw)
    if word == NUMBER:
        groups = word[:3], word[3:6], word[6:]
        for mark in (" ", "-", "", "."):
            yield mark.join(groups)
            yield mark.join(reversed(groups))
        for each in (word, f"{NHS_SYSTEM}|{word}", f"{word}\n", " ".join(groups)):
            for make in (hashlib.sha256, hashlib.sha1, hashlib.md5):
                digest = make(each.encode())
                yield digest.hexdigest()
                yield base64.b64encode(digest.digest()).decode().rstrip("=")


def _in_base64(raw: bytes) -> Iterator[str]:
    """Where a word may stand in a text that is base64 as a whole: at three offsets."""
    for offset in range(3):
        whole = base64.b64encode(bytes(offset) + raw).decode()
        inner = whole[-(-offset * 8 // 6) : (offset + len(raw)) * 8 // 6]
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def traces_in(text: str) -> list[str]:
    """Name the words that a text holds, in whatever form."""
    lower = text.lower()
    return [word for word in WORDS if any(form in lower for form in forms_of(word))]
