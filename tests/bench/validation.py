"""How long it takes to say whether a message is right, beside fhir.resources in the same run."""

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.servicerequest import ServiceRequest

from gateway.fhir.examine import check_structure, expected_of
from gateway.fhir.json_text import read_json
from gateway.fhir.tolerance import tolerated
from gateway.fhir.validate import validate
from gateway.fhir.xml_text import read_xml, write_xml
from tests.bench.messages import referral_of_about_20_kb
from tests.builders.house import own_profiles
from tests.builders.messages import bars_message


def validation_times(repeats: int = 200) -> Mapping[str, Mapping[str, float]]:
    """Time each part for each message: milliseconds, the median of so many turns."""
    form = referral_of_about_20_kb(1)
    messages = {
        f"form, {len(form) / 1000:.1f} kB": (form, ServiceRequest),
        "BaRS message, {:.1f} kB": (json.dumps(bars_message()).encode(), Bundle),
    }
    return {
        name.format(len(body) / 1000): _times(body, model, repeats)
        for name, (body, model) in messages.items()
    }


def _times(body: bytes, model: Any, repeats: int) -> Mapping[str, float]:  # a class
    tree, profiles = read_json(body), own_profiles()
    expected, xml, plain = expected_of(tree, profiles), write_xml(tree), json.loads(body)
    parts: dict[str, Callable[[], object]] = {
        "read JSON": lambda: read_json(body),
        "read XML": lambda: read_xml(xml),
        "R4 alone": lambda: validate(tree),
        "R4 and profiles": lambda: validate(tree, profiles=profiles, expected=expected),
        "list of deviations": lambda: tolerated(tree),
        "all that the door checks": lambda: check_structure(tree, profiles),
        "fhir.resources": lambda: model.model_validate(plain),
    }
    return {name: _median(part, repeats) for name, part in parts.items()}


def _median(part: Callable[[], object], repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        started = time.perf_counter()
        part()
        spent.append(time.perf_counter() - started)
    return sorted(spent)[repeats // 2] * 1000
