"""Which services could take a referral, and for which purpose.

What enters: a referral and the directory's services. What leaves: candidates in the order
in which they are to be tried. Nothing here permits anything: the sharing rules do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.errors import Fault, IssueCode, UnsupportedMessageError
from gateway.referral.directory import Offer, Service
from gateway.referral.identifiers import OdsCode
from gateway.referral.model import IncomingReferral

UNKNOWN_PURPOSE = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A service that could take a referral. `service` None: the one asked for is unknown."""

    service: Service | None
    purpose: str


def candidates(
    referral: IncomingReferral, services: Sequence[Service], commissioner: OdsCode | None
) -> list[Candidate]:
    """List the services to try, in order.

    1. A referral that names a service is for that service alone.
    2. One that names a provider is for that provider's services.
    3. One that names neither may go to any service of its commissioner that takes its use
       case or code; services are tried by key.

    Args:
        referral: what was read from the message.
        services: the one that was asked for (or none), else every service there is.
        commissioner: who pays for the practice; services may be limited to theirs.

    Raises:
        UnsupportedMessageError: the service does not take this use case, or no service does.
    """
    if referral.service_asked is not None:
        named = [s for s in services if s.dos_service_id == referral.service_asked]
        return [_asked(referral, named[0] if named else None)]
    open_to = [s for s in services if _is_open_to(s, commissioner)]
    if referral.provider_asked is not None:
        open_to = [s for s in services if s.provider == referral.provider_asked]
        if not open_to:
            return [Candidate(service=None, purpose=UNKNOWN_PURPOSE)]
    found = [
        Candidate(service=service, purpose=offer.purpose)
        for service in open_to
        if (offer := _offer_for(referral, service)) is not None
    ]
    if not found:
        raise UnsupportedMessageError(_no_service(referral))
    return found


def _asked(referral: IncomingReferral, service: Service | None) -> Candidate:
    if service is None:
        return Candidate(service=None, purpose=UNKNOWN_PURPOSE)
    offer = _offer_for(referral, service)
    if offer is None and referral.use_case is None and len(service.offers) == 1:
        offer = service.offers[0]
    if offer is None:
        raise UnsupportedMessageError(_not_offered(referral))
    return Candidate(service=service, purpose=offer.purpose)


def _offer_for(referral: IncomingReferral, service: Service) -> Offer | None:
    """Find the offer that takes this referral's use case, or, if it states none, its code."""
    for offer in service.offers:
        if referral.use_case is not None:
            if (offer.use_case_system, offer.use_case) == (
                referral.use_case.system,
                referral.use_case.code,
            ):
                return offer
        elif set(offer.codes) & set(referral.codes):
            return offer
    return None


def _is_open_to(service: Service, commissioner: OdsCode | None) -> bool:
    return not service.commissioners or commissioner in service.commissioners


def _not_offered(referral: IncomingReferral) -> Fault:
    states_use_case = referral.use_case is not None
    return Fault(
        code=IssueCode.NOT_SUPPORTED,
        expression=f"{referral.at}.{'category' if states_use_case else 'code'}",
        diagnostics="The service does not take this use case. Send a use case that"
        " GET /MessageDefinition lists for it."
        if states_use_case
        else "The service takes several kinds of referral and this code fits none of them."
        " Add the use case to ServiceRequest.category.",
    )


def _no_service(referral: IncomingReferral) -> Fault:
    by = "use case" if referral.use_case is not None else "code"
    return Fault(
        code=IssueCode.NOT_SUPPORTED,
        expression=f"{referral.at}.performer",
        diagnostics=f"No service that is open to this practice takes this {by}. Name a"
        " service in ServiceRequest.performer.",
    )
