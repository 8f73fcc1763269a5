"""What in a directory does not hold together: a record that names one which is not there.

What enters: the rows of a whole directory. What leaves: each fault, with the record, what is wrong
and how to mend it. Must never: let a practice's letters go where they would not be understood, or
to a provider.
"""

from collections.abc import Iterable, Iterator, Mapping

from gateway.mapping.directory_file import DirectoryRow, Kind, Noun, noun_of
from gateway.referral.directory import (
    Agreement,
    Endpoint,
    Format,
    Practice,
    Service,
    Transport,
)
from gateway.referral.identifiers import EndpointId, OdsCode


def loose_ends(rows: Iterable[DirectoryRow]) -> Iterator[str]:
    """Find records that name what is not there or does not fit, and service ids used twice."""
    nouns = {(row.kind, row.key): noun_of(row.kind, row.body) for row in rows}
    known_as: dict[str, str] = {}
    for (kind, key), noun in nouns.items():
        if isinstance(noun, Service):
            other = known_as.setdefault(noun.dos_service_id, key)
            if other != key:
                yield f"service {key}: its dos_service_id is also that of {other}"
        if isinstance(noun, Agreement) and not nouns.keys() & _may_be(noun.counterparty):
            yield f"{kind} {key}: there is no provider or commissioner {noun.counterparty}"
        for named, name in _named_by(noun):
            if (named, name) not in nouns:
                yield f"{kind} {key}: there is no {named} {name}"
        if isinstance(noun, Practice) and noun.letters is not None:
            yield from _cannot_take_letters(noun.ods, noun.letters, nouns)


def _may_be(counterparty: OdsCode) -> frozenset[tuple[Kind, str]]:
    """An agreement is with who offers services, or with who pays for them."""
    return frozenset({(Kind.PROVIDER, counterparty), (Kind.COMMISSIONER, counterparty)})


def _named_by(noun: Noun) -> Iterator[tuple[Kind, str]]:
    if isinstance(noun, Service):
        yield from ((Kind.PROVIDER, noun.provider), (Kind.ENDPOINT, noun.endpoint))
        yield from ((Kind.COMMISSIONER, each) for each in noun.commissioners)
    if isinstance(noun, Agreement):
        yield Kind.PRACTICE, noun.practice
    if isinstance(noun, Practice) and noun.commissioner is not None:
        yield Kind.COMMISSIONER, noun.commissioner
    if isinstance(noun, Practice) and noun.letters is not None:
        yield Kind.ENDPOINT, noun.letters


def _cannot_take_letters(
    practice: OdsCode, name: EndpointId, nouns: Mapping[tuple[Kind, str], Noun]
) -> Iterator[str]:
    """Letters go by GP Connect, or to the practice's own FHIR server, and to no service."""
    endpoint = nouns.get((Kind.ENDPOINT, name))
    if not isinstance(endpoint, Endpoint):
        return
    is_understood = (
        endpoint.format is Format.GP_CONNECT or endpoint.transport is Transport.FHIR_REST
    )
    if not is_understood:
        yield (
            f"practice {practice}: letters: endpoint {name} is {endpoint.transport} with format"
            f" {endpoint.format}, which brings no letters; name one of mesh with format"
            f" {Format.GP_CONNECT}, or of {Transport.FHIR_REST}: the practice's own FHIR server"
        )
    for each in nouns.values():
        if isinstance(each, Service) and each.endpoint == name:
            yield (
                f"practice {practice}: letters: endpoint {name} is that of service {each.id}, which"
                " would read them; give the practice an endpoint of its own"
            )
