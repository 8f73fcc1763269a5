"""What an endpoint's record says beside its address: is it complete, and does it fit?

What enters: the parameters of an endpoint, its transport, and what it is written as. What leaves:
nothing, or a ValueError that names what is wrong and what would be understood. Source:
`referral.directory`, PARAMETERS and FORMAT_PARAMETERS.
"""

import re
from collections.abc import Mapping

from gateway.mapping.mesh import ANSWERS
from gateway.referral.directory import FORMAT_PARAMETERS, PARAMETERS, Format, Transport

_FILES = frozenset({"key_file", "password_file", "shared_key_file", "client_certificate"})
_FILE = re.compile(r"[A-Za-z0-9._-]+")
_WORKFLOW = re.compile(r"[0-9A-Za-z_-]{1,296}")


def check_parameters(transport: Transport, written: Format, parameters: Mapping[str, str]) -> None:
    """Check an endpoint's parameters.

    Raises:
        ValueError: one is missing, unknown, or not what it should be.
    """
    known = {**PARAMETERS[transport], **FORMAT_PARAMETERS[written]}
    strange = sorted(set(parameters) - set(known))
    missing = sorted(name for name, needed in known.items() if needed and name not in parameters)
    if strange or missing:
        named = strange or missing
        fault = "unknown" if strange else "missing"
        msg = f"parameters: {', '.join(named)} is {fault}; {transport} knows " + ", ".join(
            f"{name}{'' if needed else ' (optional)'}" for name, needed in known.items()
        )
        raise ValueError(msg)
    for name in set(parameters) & _FILES:
        if not _FILE.fullmatch(parameters[name]):
            msg = f"parameters.{name}: the name of a file in the credentials folder"
            raise ValueError(msg)
    if "outcomes" in parameters:
        _check_outcomes(parameters, written)
    if "outcome_answers" in parameters:
        _check_outcome_answers(parameters)


def _check_outcomes(parameters: Mapping[str, str], written: Format) -> None:
    """Check that outcomes come from a provider, in a workflow that means nothing else."""
    if written is Format.GP_CONNECT:
        msg = "parameters.outcomes: practices take letters and send no outcomes; leave it out"
        raise ValueError(msg)
    if not _WORKFLOW.fullmatch(parameters["outcomes"]):
        msg = "parameters.outcomes: the id of a MESH workflow: letters, digits, _ and -"
        raise ValueError(msg)
    if parameters["outcomes"] == f"{parameters['workflow']}{ANSWERS}":
        msg = (
            "parameters.outcomes: in this workflow come the answers to the referral; have"
            " outcomes sent in one of their own"
        )
        raise ValueError(msg)


def _check_outcome_answers(parameters: Mapping[str, str]) -> None:
    """Check that what we answer to outcomes cannot be taken for anything else."""
    named = parameters["outcome_answers"]
    if "outcomes" not in parameters:
        msg = "parameters.outcome_answers: say in which workflow outcomes come as well: outcomes"
        raise ValueError(msg)
    if not _WORKFLOW.fullmatch(named):
        msg = "parameters.outcome_answers: the id of a MESH workflow: letters, digits, _ and -"
        raise ValueError(msg)
    others = (parameters["outcomes"], parameters["workflow"], f"{parameters['workflow']}{ANSWERS}")
    if named in others:
        msg = (
            "parameters.outcome_answers: in this workflow come referrals, answers to them, or"
            " outcomes; have outcomes answered in one of their own"
        )
        raise ValueError(msg)
