"""`gateway certify`: try an endpoint, case after case.

What enters: where it is, and whom to trust. What leaves: a finding for each case. No gateway, no
database and no settings are needed. Must never: send anything but synthetic referrals.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.certify.case import Case, Finding, Verdict, not_shown
from gateway.cli.certify.manners import RawLine
from gateway.cli.certify.messages import Messages
from gateway.cli.certify.table import BY_NAME, CASES
from gateway.cli.certify.trial import Format, Patience, Trial
from gateway.cli.demo.setting import OH
from gateway.errors import ConfigError
from gateway.fhir.json_text import MAX_BYTES
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.outbound.fhir_rest import FhirRest
from gateway.outbound.https_line import HttpsLine
from gateway.referral.directory import Endpoint, Transport
from gateway.referral.identifiers import EndpointId, OdsCode

_FHIR_TRANSACTION = Format(writer=FhirTransaction(), reach=FhirRest, has_search=True)
_HERE = Path()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which endpoint is tried. Whatever is None is left as production has it.

    `provider` and `service` are whom the referrals are for; `token_file` goes with searches.
    """

    url: str
    ca_file: Path | None = None
    client_certificate: Path | None = None
    token_file: Path | None = None
    provider: str | None = None
    service: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one case showed, and how long it took."""

    case: Case
    finding: Finding
    seconds: float


def open_trial(
    target: Target, patience: Patience | None = None, *, largest: int = MAX_BYTES
) -> Trial:
    """Make ready to try an endpoint.

    Raises:
        ConfigError: its URL is none that the gateway could post to, or a word is none.
    """
    waits = patience or Patience()
    own = target.client_certificate
    endpoint = Endpoint(
        id=EndpointId("certify"),
        transport=Transport.FHIR_REST,
        address=_checked(target.url),
        ca_file=target.ca_file.name if target.ca_file else None,
        parameters={"client_certificate": own.name} if own else {},
    )
    certificates = target.ca_file.parent if target.ca_file else _HERE
    credentials = own.parent if own else _HERE
    line = HttpsLine(
        certificates=certificates,
        credentials=credentials,
        connect_timeout=waits.connect,
        reply_timeout=waits.reply,
    )
    return Trial(
        endpoint=endpoint,
        format=_FHIR_TRANSACTION,
        messages=_messages(target, endpoint, largest),
        line=line,
        raw=RawLine(
            certificates=certificates,
            credentials=credentials,
            connect=waits.connect.total_seconds(),
        ),
        patience=waits,
        deadline=time.monotonic(),
        search_headers=_search_headers(target),
    )


def chosen(names: Sequence[str]) -> tuple[Case, ...]:
    """Return the named cases and those that they need, in the table's order; none: all.

    Raises:
        ConfigError: there is no such case.
    """
    wanted = set(names) or set(BY_NAME)
    if not wanted <= BY_NAME.keys():
        raise ConfigError(f"--only: there are these cases: {', '.join(BY_NAME)}")
    for case in reversed(CASES):
        if case.name in wanted and case.needs:
            wanted.add(case.needs)
    return tuple(case for case in CASES if case.name in wanted)


def longest(cases: Sequence[Case]) -> float:
    """Tell how many seconds cases may take in all; looking up the host's name comes on top."""
    return sum(case.longest.total_seconds() for case in cases)


def certify(
    trial: Trial, cases: Sequence[Case], begin: Callable[[Case], None] = lambda _: None
) -> Iterator[Result]:
    """Try case after case. One whose need was not shown is not tried."""
    shown: dict[str, Verdict] = {}
    for case in cases:
        begin(case)
        began = time.monotonic()
        finding = _tried(trial, case, shown)
        shown[case.name] = finding.verdict
        yield Result(case=case, finding=finding, seconds=time.monotonic() - began)


def exit_status(results: Sequence[Result]) -> int:
    """Return 1 where a case failed, 2 where nothing was shown at all, else 0."""
    verdicts = {result.finding.verdict for result in results}
    if Verdict.FAIL in verdicts:
        return 1
    return 2 if verdicts <= {Verdict.NOT_SHOWN} else 0


def _tried(trial: Trial, case: Case, shown: dict[str, Verdict]) -> Finding:
    if case.needs and not shown[case.needs].is_good:
        return not_shown(f"it needs {case.needs}")
    deadline = time.monotonic() + case.longest.total_seconds()
    return case.attempt(replace(trial, deadline=deadline))


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_good = parts.scheme == "https" and parts.hostname and parts.port != 0
    except ValueError:
        is_good = None
    if not is_good:
        raise ConfigError("URL is not https:// and a host: the gateway posts nowhere else")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError("URL has more than a host and a path: leave user, query and # out")
    return url


def _messages(target: Target, endpoint: Endpoint, largest: int) -> Messages:
    try:
        provider = OdsCode(target.provider or OH.ods)
    except ValueError as error:
        raise ConfigError(f"--provider: {error}") from None
    return Messages(
        writer=_FHIR_TRANSACTION.writer,
        endpoint=endpoint,
        provider=provider,
        service=target.service or OH.dos_service_id,
        largest=largest,
    )


def _search_headers(target: Target) -> dict[str, str]:
    if target.token_file is None:
        return {}
    token = target.token_file.read_text(encoding="utf-8").strip()
    if not token.isascii() or not token.isprintable() or not token or " " in token:
        raise ConfigError("--token-file: the file holds no bearer token, which is one word")
    return {"Authorization": f"Bearer {token}"}
