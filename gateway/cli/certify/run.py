"""`gateway certify`: try an endpoint, case after case.

What enters: where it is, and whom to trust. What leaves: a finding for each case. No gateway, no
database and no settings are needed. Must never: send anything but synthetic referrals.
"""

import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.certify.case import Case, Finding, Verdict, not_shown
from gateway.cli.certify.manners import RawLine
from gateway.cli.certify.messages import Messages
from gateway.cli.certify.table import BY_NAME, CASES
from gateway.cli.certify.trial import Patience, Trial, Wire
from gateway.cli.demo.setting import OH
from gateway.config import OWN_PROFILES
from gateway.errors import ConfigError
from gateway.fhir.examine import require_own
from gateway.fhir.json_text import MAX_BYTES
from gateway.fhir.profiles.load import load_profiles
from gateway.mapping.bars_message import BarsMessage
from gateway.mapping.fhir_rest import FhirTransaction
from gateway.outbound.bars import Bars
from gateway.outbound.client_token import ClientTokens
from gateway.outbound.fhir_rest import FhirRest
from gateway.outbound.https_line import HttpsLine
from gateway.referral.directory import Endpoint, Format, Transport
from gateway.referral.identifiers import DOS_SERVICE_SYSTEM, EndpointId, OdsCode

FORMATS = (Format.FHIR_TRANSACTION, Format.BARS_MESSAGE)
"""The formats that an endpoint can be tried with."""
_HERE = Path()
_SOURCE = f"{DOS_SERVICE_SYSTEM}|certify"
"""Whence the messages come, for BaRS: no service that is in any directory."""
_OPERATOR = OdsCode("XGW01")


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
    format: Format = Format.FHIR_TRANSACTION


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
    _require_certificates(target)
    endpoint = _endpoint(target)
    certificates = target.ca_file.parent if target.ca_file else _HERE
    credentials = own.parent if own else _HERE
    line = HttpsLine(
        certificates=certificates,
        credentials=credentials,
        connect_timeout=waits.connect,
        reply_timeout=waits.reply,
    )
    wire = _wire(target.format, line)
    return Trial(
        endpoint=endpoint,
        wire=wire,
        messages=_messages(target, endpoint, wire, largest),
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


def _require_certificates(target: Target) -> None:
    """Refuse files that hold no certificates, rather than blame the endpoint for them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        if target.ca_file:
            context.load_verify_locations(target.ca_file)
    except OSError:
        raise ConfigError("--ca-file: the file holds no certificate in PEM") from None
    try:
        if target.client_certificate:
            context.load_cert_chain(target.client_certificate, password=lambda: "")
    except OSError:
        msg = "--client-certificate: the file holds no chain with its key in PEM, unencrypted"
        raise ConfigError(msg) from None


def _endpoint(target: Target) -> Endpoint:
    """Write the row that a directory would have for it."""
    own = target.client_certificate
    parameters = {"client_certificate": own.name} if own else {}
    transport = Transport.FHIR_REST
    if target.format is Format.BARS_MESSAGE:
        transport = Transport.BARS
        service = target.service or OH.dos_service_id
        parameters["target_identifier"] = f"{DOS_SERVICE_SYSTEM}|{service}"
        parameters["source_identifier"] = _SOURCE
    return Endpoint(
        id=EndpointId("certify"),
        transport=transport,
        format=target.format,
        address=_checked(target.url),
        ca_file=target.ca_file.name if target.ca_file else None,
        parameters=parameters,
    )


def _wire(format_: Format, line: HttpsLine) -> Wire:
    """Put the parts together as the gateway's composition root does."""
    if format_ is not Format.BARS_MESSAGE:
        return Wire(
            writer=FhirTransaction(), reach=FhirRest, has_search=True, takes_any_recall=True
        )
    tokens = ClientTokens(line)
    return Wire(
        writer=BarsMessage(require_own(load_profiles(OWN_PROFILES)), by=_OPERATOR),
        reach=lambda tap: Bars(tap, tokens),
        has_search=False,
        takes_any_recall=False,
    )


def _messages(target: Target, endpoint: Endpoint, wire: Wire, largest: int) -> Messages:
    try:
        provider = OdsCode(target.provider or OH.ods)
    except ValueError as error:
        raise ConfigError(f"--provider: {error}") from None
    return Messages(
        writer=wire.writer,
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
