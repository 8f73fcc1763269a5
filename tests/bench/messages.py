"""The message that is measured: a referral of about 20 kB, as long letters and lists make it."""

import json

from tests.builders.messages import AT, Tree, patient, service_request


def referral_of_about_20_kb(number: int) -> bytes:
    """Make a valid referral for one of 200 people in the 999 test range."""
    return json.dumps(lengthened(service_request(person=patient(_nhs_number(number))))).encode()


def lengthened(tree: Tree) -> Tree:
    """Add findings to a referral, which lead to some 18 kB more."""
    for position in range(38):
        name = f"observation-{position}"
        tree["contained"].append(_observation(name, position))
        tree.setdefault("supportingInfo", []).append({"reference": f"#{name}"})
    return tree


def _observation(name: str, position: int) -> Tree:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {
            "coding": [
                {
                    "system": "http://snomed.info/sct",
                    "code": "365524007",
                    "display": "Fitness for work - finding",
                }
            ]
        },
        "subject": {"reference": "#patient"},
        "effectiveDateTime": AT,
        "valueQuantity": {
            "value": position + 0.5,
            "unit": "h",
            "system": "http://unitsofmeasure.org",
            "code": "h",
        },
        "note": [{"text": f"Hours of light duties managed in week {position}."}],
    }


def _nhs_number(number: int) -> str:
    """Spell the numberth valid NHS number of the 999 range."""
    candidate = 999_100_000 + number
    while True:
        digits = [int(d) for d in str(candidate)]
        check = (11 - sum(d * w for d, w in zip(digits, range(10, 1, -1), strict=True)) % 11) % 11
        if check < 10:
            return f"{candidate}{check}"
        candidate += 1_000
