"""What a change would mean before it is made: for a practice's own system.

What enters: a token of the practice, and a position that is not taken yet. What leaves: which of
its recent and waiting referrals would come out otherwise, by week. Nothing is changed.
"""

import flask

from gateway.errors import Fault, IssueCode, NotFoundError, ParameterError
from gateway.fhir.json_text import write_json
from gateway.inbound.house import house
from gateway.inbound.identity import needs
from gateway.inbound.search import parameters, single
from gateway.journey.gateway import Gateway
from gateway.journey.what_if import (
    RECENT,
    Period,
    WhatIf,
    impact_of_agreement,
    impact_of_switch,
    told,
)
from gateway.referral.directory import AgreementStatus, Scope, Switch, SwitchValue
from gateway.referral.identifiers import AgreementId

_STATUSES = (AgreementStatus.WITHDRAWN, AgreementStatus.SUSPENDED, AgreementStatus.ACTIVE)

routes = flask.Blueprint("impact", __name__)


@routes.get("/switches/<switch>/impact")
@needs(Scope.SHARING_READ)
def get_switch_impact(switch: str) -> flask.Response:
    """Say what the switch at `value` would have meant, and means for what waits."""
    if switch not in set(Switch):
        msg = "there is no such switch"
        raise NotFoundError(msg)
    value = _one_of([v.value for v in SwitchValue], "value")
    gateway = house().gateway
    return _answered(
        impact_of_switch(
            gateway,
            _recent(gateway),
            Switch(switch),
            SwitchValue(value),
            actor=flask.g.sender.client,
        )
    )


@routes.get("/agreements/<agreement>/impact")
@needs(Scope.SHARING_READ)
def get_agreement_impact(agreement: str) -> flask.Response:
    """Say what the agreement at `status` would have meant, and means for what waits."""
    status = AgreementStatus(_one_of([s.value for s in _STATUSES], "status"))
    try:
        named = AgreementId(agreement)
    except ValueError:
        msg = "there is no such agreement"
        raise NotFoundError(msg) from None
    gateway = house().gateway
    client = flask.g.sender.client
    found = impact_of_agreement(gateway, _recent(gateway), named, status, actor=client)
    return _answered(found)


def _recent(gateway: Gateway) -> Period:
    now = gateway.clock()
    return Period(since=now - RECENT, until=now, practice=flask.g.sender.ods)


def _one_of(values: list[str], name: str) -> str:
    given = single(parameters(frozenset({name})), name)
    if given not in values:
        text = f"Say {name}: {', '.join(values)}."
        raise ParameterError(Fault(code=IssueCode.INVALID, diagnostics=text))
    return given


def _answered(found: WhatIf) -> flask.Response:
    return flask.Response(write_json(told(found)), 200, content_type="application/json")
