import io
from dataclasses import replace

import pytest
from rich.console import Console

from gateway.cli.demo.samples import SAMPLES, Ending, Sample
from gateway.cli.demo.show import table_of
from gateway.cli.demo.watch import Seen, differences_of


def sample_named(name: str) -> Sample:
    return next(sample for sample in SAMPLES if sample.name == name)


def as_expected(sample: Sample) -> Seen:
    """What is seen of a sample that ends as it should."""
    expected = sample.expected
    repeated = expected.ending is Ending.REPEATED and expected.status == 201
    return Seen(
        sample=sample,
        status=expected.status,
        location="/ServiceRequest/1" if sample.name in ("form", "form-again") else None,
        reference=None if expected.ending in (Ending.REFUSED, Ending.NOT_TAKEN) else "RG-1",
        ending=Ending.DELIVERED if repeated else expected.ending,
        codes=[expected.reason] if expected.reason else [],
        expressions=[expected.expression] if expected.expression else [],
        issues=["suppressed"] if sample.withholds else [],
        why="Because.",
        says_on_hold=expected.ending is Ending.HELD,
        attempts=sample.busy_first + 1,
    )


EARLIER = {sample.name: as_expected(sample) for sample in SAMPLES}


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_that_ends_as_it_should_shows_no_difference(sample: Sample) -> None:
    assert list(differences_of(as_expected(sample), EARLIER)) == []


@pytest.mark.parametrize(
    ("name", "change", "difference"),
    [
        ("form", {"status": 503}, "HTTP 503, not 201"),
        ("form", {"ending": Ending.HELD}, "held, not delivered"),
        ("form", {"ending": None}, "no end in time, not delivered"),
        ("no-consent", {"codes": ["REC_FORBIDDEN"]}, "the reason is not NO_PATIENT_CONSENT"),
        ("another-provider", {"codes": []}, "the reason is not CONSENT_DOES_NOT_COVER"),
        ("another-provider", {"says_on_hold": False}, "the answer brought no Task that is on hold"),
        ("unknown-element", {"expressions": []}, "nothing found wrong at ServiceRequest"),
        (
            "form-again",
            {"location": "/ServiceRequest/2"},
            "delivered, not recognised as a repeat",
        ),
        ("busy", {"attempts": 1}, "1 attempts, not more than 1"),
        ("labelled", {"issues": []}, "the sender was not told that a part stays behind"),
        ("withdrawn", {"ending": Ending.DELIVERED}, "delivered, not closed"),
    ],
)
def test_a_difference_from_what_was_expected_is_told(
    name: str, change: dict[str, object], difference: str
) -> None:
    seen = replace(as_expected(sample_named(name)), **change)  # type: ignore[arg-type]  # by name
    assert list(differences_of(seen, EARLIER)) == [difference]


def shown(*seen: Seen) -> str:
    page = io.StringIO()
    Console(file=page, width=200).print(table_of(seen))
    return page.getvalue()


def test_the_table_says_what_became_of_a_sample_and_why() -> None:
    held = shown(replace(as_expected(sample_named("another-provider")), why="Ask the patient."))
    for text in ("Consent names another provider", "REST", "202", "RG-1", "held", "✓"):
        assert text in held
    assert "CONSENT_DOES_NOT_COVER" in held


def test_the_table_names_the_provider_and_the_attempt_that_reached_it() -> None:
    assert "oh-provider has it, at attempt 2" in shown(as_expected(sample_named("busy")))


def test_the_table_marks_what_is_not_as_expected() -> None:
    seen = replace(as_expected(sample_named("form")), ending=None, differences=["HTTP 503"])
    assert "no end in time" in shown(seen)
    assert "✗ HTTP 503. " in shown(seen)
    assert "✓" not in shown(seen)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("labelled", "oh-provider has all but that part"),
        ("withdrawn", "CONSENT_WITHDRAWN"),
        ("agreement-withdrawn", "Because. A letter tells the ICB."),
    ],
)
def test_the_table_says_what_a_decision_of_patient_or_practice_led_to(name: str, told: str) -> None:
    assert told in shown(as_expected(sample_named(name)))


def test_a_table_says_nothing_of_a_letter_or_a_part_that_was_not_as_expected() -> None:
    for name in ("labelled", "agreement-withdrawn"):
        told = shown(replace(as_expected(sample_named(name)), differences=["HTTP 503"]))
        assert "letter" not in told
        assert "all but" not in told


@pytest.mark.parametrize("width", [80, 100, 119, 120, 140])
def test_a_table_shows_all_its_columns_on_a_page_of_any_width(width: int) -> None:
    seen = [replace(as_expected(each), reference="RG-0000-0000") for each in SAMPLES]
    page = io.StringIO()
    Console(file=page, width=width).print(table_of(seen, width=width))
    lines = page.getvalue().splitlines()
    assert max(len(line) for line in lines) <= width
    assert "…" not in page.getvalue()
    assert page.getvalue().count("✓") == len(SAMPLES)
    assert sum("RG-0000-0000" in line for line in lines) == len(SAMPLES)
