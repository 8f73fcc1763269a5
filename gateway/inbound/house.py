"""What every route may reach: the live gateway, the public address, and who identifies callers."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import flask

from gateway.inbound.identity import ClientCredentials
from gateway.journey.gateway import Gateway
from gateway.journey.reach import Reach

ANSWER_WITHIN: Final = timedelta(seconds=2.9)
"""How long after its arrival a request may begin anything. With the longest statement
(`database_timeout`) that is under the 5 seconds in which BaRS wants every answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The objects behind the front door. `base_url` ends with the FHIR base, without a slash.

    Below `sharing_url` is what practices share, which is not FHIR.
    `reach` says where subscribers may have notifications posted.
    """

    gateway: Gateway
    base_url: str
    sharing_url: str
    identity: ClientCredentials
    reach: Reach
    answer_within: timedelta = ANSWER_WITHIN


def house() -> House:
    """Return the house of the request that is being answered."""
    found: House = flask.current_app.extensions["house"]
    return found
