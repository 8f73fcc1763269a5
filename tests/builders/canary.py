"""A patient whose every word is unmistakable, to be found wherever it should not be."""

from typing import Any

from tests.builders.messages import Tree, bars_message, consent, patient, service_request

NUMBER = "9990548609"
FAMILY = "Quetzalcanary"
GIVEN = "Zephyrina"
STREET = "17 Xylophone Wharf"
POSTCODE = "ZZ99 3VZ"
PHONE = "07700900461"
BORN = "1931-07-19"
FREE_TEXT = "wombatitis since the ballooning accident"
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
