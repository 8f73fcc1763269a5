"""What `gateway shared-care` does and prints.

What enters: values of a command line. What leaves: lines on stdout, or JSON; what is wrong with a
file on stderr, each fault with its place, and exit status 1. Nothing here is of a patient.
"""

import json
from pathlib import Path

import click

from gateway.app import open_gateway
from gateway.cli.sharing import refusals_told
from gateway.config import read_settings
from gateway.journey.shared_care_terms import (
    record_capacity,
    record_terms,
    shared_care_on_record,
)
from gateway.ledger.values import write_instant
from gateway.mapping.shared_care_terms import read_terms, write_terms
from gateway.referral.identifiers import OdsCode
from gateway.referral.json import JsonObject
from gateway.store.shared_care import RecordedAgreement, RecordedCapacity
from gateway.writeback.shared_care import CAPACITY_HOLDS_FOR


def record_file(practice: OdsCode, provider: OdsCode, file: Path, *, actor: str) -> None:
    """Put the terms of a file on record, and print what counts then."""
    with refusals_told():
        terms = read_terms(file.read_bytes())
    _print_agreement(
        record_terms(open_gateway(read_settings()), practice, provider, terms, actor=actor)
    )


def say_capacity(practice: OdsCode, *, has_capacity: bool, actor: str) -> None:
    """Put a practice's word on record, and print it."""
    gateway = open_gateway(read_settings())
    _print_capacity(record_capacity(gateway, practice, has_capacity=has_capacity, actor=actor))


def list_on_record(*, as_json: bool) -> None:
    """Print what counts now."""
    found = shared_care_on_record(open_gateway(read_settings()))
    if as_json:
        tree = {
            "agreements": [_agreement(each) for each in found.agreements],
            "capacities": [_capacity(each) for each in found.capacities],
        }
        click.echo(json.dumps(tree, indent=2))
        return
    for agreement in found.agreements:
        _print_agreement(agreement)
    for capacity in found.capacities:
        _print_capacity(capacity)


def _print_agreement(one: RecordedAgreement) -> None:
    terms = one.terms
    works = ", ".join(
        sorted(f"{each.work} by {each.party}" for each in terms.responsibilities or ())
    )
    lacks = [
        name
        for name in ("responsibilities", "support", "resourcing", "starts_on", "decision")
        if getattr(terms, name) is None
    ]
    click.echo(
        f"{one.practice:<10} {one.provider:<10} {terms.decision or 'undecided':<9}"
        f" from {terms.starts_on or '-'} to {terms.ends_on or '-'}  {works or '-'}"
        f"{'; lacks ' + ', '.join(lacks) if lacks else ''}; version {one.seq}, by {one.by}"
    )


def _print_capacity(one: RecordedCapacity) -> None:
    until = one.word.said_on + CAPACITY_HOLDS_FOR
    says = "has capacity" if one.word.has_capacity else "has no capacity"
    click.echo(f"{one.practice:<10} {says}, said on {one.word.said_on}, by {one.by}; until {until}")


def _agreement(one: RecordedAgreement) -> JsonObject:
    return {
        "practice": one.practice,
        "provider": one.provider,
        "version": one.seq,
        "terms": json.loads(write_terms(one.terms)),
        "recorded_at": write_instant(one.recorded_at),
        "by": one.by,
    }


def _capacity(one: RecordedCapacity) -> JsonObject:
    return {
        "practice": one.practice,
        "has_capacity": one.word.has_capacity,
        "said_on": one.word.said_on.isoformat(),
        "until": (one.word.said_on + CAPACITY_HOLDS_FOR).isoformat(),
        "recorded_at": write_instant(one.recorded_at),
        "by": one.by,
    }
