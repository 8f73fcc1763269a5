"""Where notifications may go: to the public Internet, and to hosts that the operator names.

What enters: an address that a subscriber asks for, and the setting `subscription_hosts`. What
leaves: leave, or a refusal with its reason. Who may name an address could otherwise have this
machine post to its neighbours (server-side request forgery). A name is looked up when a
subscription is made, and again by each connection: it is the address of the connection itself
that counts then, so a name that leads elsewhere later leads nowhere. Must never: let a name
through because it could not be looked up.
Source: Standard Webhooks, SSRF; IANA special-purpose address registries, by way of `ipaddress`.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit

from gateway.errors import ConfigError

LONGEST_ADDRESS: Final = 1024
"""Characters of an address."""

_URL: Final = re.compile(r"[!-~]+")
_HOST: Final = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")
_NAMED: Final = re.compile(r"([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_CA_FILE: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.pem")
_HTTPS: Final = 443
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Place = tuple[str, int]
"""A host in lower case, and a port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Which addresses may be posted to.

    `named` are those that the operator vouches for, wherever they lead, each with the CA file
    that its certificate is trusted by; None: the system's. `look_up` returns the addresses that
    a host has now; none where it has none, or nobody answers in time.
    """

    look_up: Callable[[str], Sequence[str]] = field(repr=False)
    named: Mapping[Place, str | None] = field(default_factory=dict)

    def refusal(self, address: str) -> str | None:
        """Say why nothing may be posted to an address; None: it may. Looks its host up."""
        url = _split(address)
        if url is None or len(address) > LONGEST_ADDRESS:
            return f"is no https:// address of at most {LONGEST_ADDRESS} visible ASCII characters"
        if says := " and ".join(_faults_in(url)):
            return says
        place = _place(url)
        return None if place in self.named else self._refusal_of_unnamed(place)

    def _refusal_of_unnamed(self, place: Place) -> str | None:
        if place[1] != _HTTPS:
            return "names a port other than 443; ask who runs this gateway to name your host"
        found = self.look_up(place[0])
        if not found:
            return "names a host that has no address now; check the name, and send it again"
        if not all(is_public(each) for each in found):
            return (
                "leads to an address that is not on the public Internet; ask who runs this"
                " gateway to name your host"
            )
        return None

    def may_connect(self, address: str, peer: str) -> bool:
        """Tell whether a connection made for an address may be used, by the peer's own address."""
        url = _split(address)
        return url is not None and (_place(url) in self.named or is_public(peer))

    def is_within(self, address: str) -> bool:
        """Tell whether an address is still of a kind that is served; nothing is looked up."""
        url = _split(address)
        if url is None or any(_faults_in(url)):
            return False
        return _place(url) in self.named or _place(url)[1] == _HTTPS

    def ca_file(self, address: str) -> str | None:
        """Name the CA file by which the certificate at an address is trusted."""
        url = _split(address)
        return self.named.get(_place(url)) if url is not None else None


NOWHERE: Final = Reach(look_up=lambda _host: ())
"""Where no host is named and no name is ever looked up: nothing may be posted anywhere."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public Internet, in every disguise it may have."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is None and found in _NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return found.is_global and not found.is_multicast


def read_hosts(text: str) -> Mapping[Place, str | None]:
    """Read the setting: hosts, each with its port where that is not 443, and a CA file.

    Raises:
        ConfigError: a word is neither; the text says which.
    """
    named: dict[Place, str | None] = {}
    last: Place | None = None
    for at, word in enumerate(text.split(), 1):
        if _CA_FILE.fullmatch(word) and last is not None:
            named[last], last = word, None
            continue
        found = _NAMED.fullmatch(word)
        port = int(found[2] or _HTTPS) if found else 0
        if found is None or not 0 < port < 65536:  # noqa: PLR2004  # TCP
            msg = (
                f"GATEWAY_SUBSCRIPTION_HOSTS, word {at}: this is no host or host:port, and no CA"
                " file (.pem) that follows one"
            )
            raise ConfigError(msg)
        last = (found[1].lower().strip("[]"), port)
        named[last] = None
    return named


def _split(address: str) -> SplitResult | None:
    try:
        url = urlsplit(address)
        _ = url.port
    except ValueError:
        return None
    return url if _URL.fullmatch(address) else None


def _place(url: SplitResult) -> Place:
    return (url.hostname or "").lower(), url.port or _HTTPS


def _faults_in(url: SplitResult) -> Iterator[str]:
    if url.scheme != "https":
        yield "does not begin with https://"
    if "@" in url.netloc:
        yield "names a user: put what proves who calls into channel.header"
    if url.fragment:
        yield "has a fragment, which is never sent"
    if url.port == 0 or not _HOST.fullmatch(url.netloc.rpartition("@")[2].removesuffix(_port(url))):
        yield "names no host"


def _port(url: SplitResult) -> str:
    return f":{url.port}" if url.port is not None else ""
