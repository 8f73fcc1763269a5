"""A pharmacy that is referred to, and says what it did as codes: of those that may be written."""

import hashlib
from typing import Any

from gateway.fhir.json_text import read_json, write_json
from gateway.fhir.read_outcome import read_outcome
from gateway.journey.answering import Arrived
from gateway.journey.return_outcome import Returned, return_outcome
from gateway.ledger.kinds import Door
from gateway.referral.identifiers import OdsCode
from tests.builders.evidence import the_referral, work
from tests.builders.house import House
from tests.builders.itk3 import sent_record
from tests.builders.messages import (
    BARS_USE_CASES,
    PHARMACY,
    PHARMACY_SERVICE,
    bars_headers,
    bars_message,
    implied_consent,
)
from tests.builders.returning import of_employer


def to_pharmacy(house: House) -> str:
    """Bring a direct-care referral to the pharmacy; return its id."""
    providers = [
        each | ({"role": "community-pharmacy"} if each["ods"] == PHARMACY else {})
        for each in house.directory["providers"]
    ]
    on = {"send_document": "on", "update_record": "on"}
    practices = [each | {"switches": on} for each in house.directory["practices"]]
    house.apply(providers=providers, practices=practices)
    sent = bars_message(
        service=PHARMACY_SERVICE, use_case=(BARS_USE_CASES, "a5t1"), consents=[implied_consent()]
    )
    for entry in sent["entry"]:
        if entry["resource"]["resourceType"] == "ServiceRequest":
            entry["resource"]["extension"] = of_employer(is_practice=False)
    answer = house.post("/$process-message", sent, **bars_headers(PHARMACY_SERVICE))
    assert answer.status_code == 200, answer.get_data(as_text=True)
    work(house)
    return str(the_referral(house).id)


def consultation(own: str, **changes: str) -> Any:
    """What the pharmacy's system sends of its consultation, as codes."""
    text = write_json(sent_record()).decode()
    given = {"33333333-3333-4333-8333-333333333333": own, "FZZ01": PHARMACY, **changes}
    for before, after in given.items():
        text = text.replace(before, after)
    tree: Any = read_json(text.encode())
    for entry in tree["entry"]:
        if entry["resource"]["resourceType"] == "Patient":
            own_name = {"use": "official", "family": "Testperson", "given": ["Avery"]}
            entry["resource"] |= {"name": [own_name], "birthDate": "1980-02-29"}
    return tree


def pharmacy_says(house: House, tree: Any) -> Returned:
    """Have the pharmacy's system say it at the door."""
    body = write_json(tree)
    arrived = Arrived(
        door=Door.REST, provider=OdsCode(PHARMACY), client="pharmacy-system", body=body,
        body_sha256=hashlib.sha256(body).hexdigest(),
    )  # fmt: skip
    return return_outcome(read_outcome(tree), arrived, house.gateway)
