"""Identifiers, each with its own type.

A constructor parses or raises ValueError; nobody validates the value again. The texts of
the errors never quote the value, since it may be a patient's.
"""

import re
import uuid
from functools import lru_cache
from typing import ClassVar, Self

NHS_NUMBER_SYSTEM = "https://fhir.nhs.uk/Id/nhs-number"
ODS_CODE_SYSTEM = "https://fhir.nhs.uk/Id/ods-organization-code"
DOS_SERVICE_SYSTEM = "https://fhir.nhs.uk/Id/dos-service-id"
OWN_BASE = "https://fhir.referral-gateway.example"
PURPOSE_SYSTEM = f"{OWN_BASE}/CodeSystem/purpose"
USE_CASE_SYSTEM = f"{OWN_BASE}/CodeSystem/use-case"
REFERENCE_SYSTEM = f"{OWN_BASE}/Id/referral-reference"
REASON_SYSTEM = f"{OWN_BASE}/CodeSystem/reason"
BARS_USE_CASE_SYSTEM = "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars"

_SYSTEM_DEVIATIONS = re.compile(r"^http://(fhir\.nhs\.uk|fhir\.hl7\.org\.uk)/", re.IGNORECASE)
_FOLDER_DEVIATIONS = re.compile(r"^(https://fhir\.(?:nhs|hl7\.org)\.uk)/(id|Codesystem)/")
_FOLDERS = {"id": "Id", "Codesystem": "CodeSystem"}
_NAME_DEVIATIONS = {
    "https://fhir.nhs.uk/CodeSystem/usecase-categories-bars": BARS_USE_CASE_SYSTEM,
}


_LONGEST_KEPT = 200
"""Characters of a system that is remembered: a sender must not fill the memory with long ones."""


def normal_system(system: str) -> str:
    """Respell an NHS system of identifiers or codes the way UK Core or BaRS fixes it.

    Senders write `http` for `https`, `/id/` for `/Id/`, `/Codesystem/` for `/CodeSystem/`
    and the use cases in the singular; all name the same system. Any other text is returned
    as it is. Source: BaRS examples against the registered systems; gateway/fhir/tolerance.py.
    """
    return _respelt(system) if len(system) <= _LONGEST_KEPT else _respelt.__wrapped__(system)


@lru_cache(maxsize=512)
def _respelt(system: str) -> str:
    spelt = _SYSTEM_DEVIATIONS.sub(lambda m: f"https://{m[1].lower()}/", system)
    spelt = _FOLDER_DEVIATIONS.sub(lambda m: f"{m[1]}/{_FOLDERS[m[2]]}/", spelt)
    return _NAME_DEVIATIONS.get(spelt, spelt)


class _Pattern(str):
    """A string that matches its pattern."""

    __slots__ = ()
    _pattern: ClassVar[re.Pattern[str]]
    _what: ClassVar[str]

    def __new__(cls, value: str) -> Self:
        text = cls._normal(value)
        if not cls._pattern.fullmatch(text):
            raise ValueError(cls._what)
        return super().__new__(cls, text)

    @classmethod
    def _normal(cls, value: str) -> str:
        return value.strip()


_FEW_DIGITS = r"(?!(?:[^0-9]*[0-9]){10})"
"""At most nine digits, so that no NHS number can hide in a name that the ledger shows."""


class OdsCode(_Pattern):
    """An organisation's ODS code, upper case."""

    __slots__ = ()
    _pattern = re.compile(_FEW_DIGITS + r"[A-Z0-9]{3,10}")
    _what = "an ODS code is 3 to 10 letters and at most 9 digits"

    @classmethod
    def _normal(cls, value: str) -> str:
        text = value.strip()
        # Beyond ASCII, some letters become others: the upper case of a dotless i is I.
        return text.upper() if text.isascii() else text


class NhsNumber(_Pattern):
    """Ten digits. The check digit is a question, not a condition: see `checks`."""

    __slots__ = ()
    _pattern = re.compile(r"[0-9]{10}")
    _what = "an NHS number is ten digits"

    @classmethod
    def _normal(cls, value: str) -> str:
        return value.replace(" ", "").replace("-", "")

    @property
    def checks(self) -> bool:
        """Whether the last digit is right by modulus 11. Source: NHS Data Dictionary."""
        total = sum(int(d) * w for d, w in zip(self[:9], range(10, 1, -1), strict=True))
        expected = (11 - total % 11) % 11
        return expected == int(self[9])


class ClientId(_Pattern):
    """The name of a registered client at the token endpoint."""

    __slots__ = ()
    _pattern = re.compile(_FEW_DIGITS + r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}")
    _what = "a client id is 2 to 64 letters, dots, dashes, underscores or at most 9 digits"


class ServiceId(_Pattern):
    """A service's key in the directory."""

    __slots__ = ()
    _pattern = re.compile(_FEW_DIGITS + r"[a-z0-9][a-z0-9-]{1,63}")
    _what = "a service id is 2 to 64 lower-case letters, dashes or at most 9 digits"


class AgreementId(_Pattern):
    """An agreement's key in the directory."""

    __slots__ = ()
    _pattern = re.compile(_FEW_DIGITS + r"[A-Za-z0-9][A-Za-z0-9._-]{1,63}")
    _what = "an agreement id is 2 to 64 letters, dots, dashes, underscores or at most 9 digits"


class EndpointId(_Pattern):
    """An endpoint's key in the directory."""

    __slots__ = ()
    _pattern = re.compile(_FEW_DIGITS + r"[a-z0-9][a-z0-9-]{1,63}")
    _what = "an endpoint id is 2 to 64 lower-case letters, dashes or at most 9 digits"


class DosServiceId(_Pattern):
    """A Directory of Services id, as in `NHSD-Target-Identifier`."""

    __slots__ = ()
    _pattern = re.compile(r"[A-Za-z0-9-]{1,32}")
    _what = "a service id is 1 to 32 letters, digits or dashes"


class Handle(_Pattern):
    """The random 128-bit name of one person at one practice: 32 hexadecimal digits."""

    __slots__ = ()
    _pattern = re.compile(r"[0-9a-f]{32}")
    _what = "a handle is 32 hexadecimal digits"


class ReferralReference(_Pattern):
    """What a person quotes on the telephone: `RG-XXXX-XXXX`, Crockford base 32."""

    __slots__ = ()
    _pattern = re.compile(r"RG-[0-9A-HJKMNP-TV-Z]{4}-[0-9A-HJKMNP-TV-Z]{4}")
    _what = "a referral reference looks like RG-7K3M-9QX2"
    ALPHABET: ClassVar[str] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

    @classmethod
    def of(cls, number: int) -> Self:
        """Spell the lowest 40 bits of a number."""
        letters = [cls.ALPHABET[(number >> shift) & 31] for shift in range(35, -1, -5)]
        return cls(f"RG-{''.join(letters[:4])}-{''.join(letters[4:])}")


class _Uuid(_Pattern):
    """A UUID in lower case with hyphens."""

    __slots__ = ()
    _pattern = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
    _what = "a UUID is 32 hexadecimal digits in five groups"

    @classmethod
    def _normal(cls, value: str) -> str:
        return value.strip().lower()

    @classmethod
    def of(cls, value: uuid.UUID) -> Self:
        """Take a UUID object."""
        return cls(str(value))


class ReferralId(_Uuid):
    """Ours: the id of the ServiceRequest that we hold."""

    __slots__ = ()

    def part(self, full_url: str) -> str:
        """Name a resource that came with this referral: the same name every time."""
        return str(uuid.uuid5(uuid.UUID(self), full_url))


class DeliveryId(_Uuid):
    """Ours: one referral's way to one service; also the id of that hop's Task."""

    __slots__ = ()


class DecisionId(_Uuid):
    """Ours: one answer of the sharing rules."""

    __slots__ = ()


class ConsentId(_Uuid):
    """Ours: the id of a Consent in the register, the same for all its versions."""

    __slots__ = ()


class WithdrawalId(_Uuid):
    """Ours: one withdrawal of what permitted sharing."""

    __slots__ = ()


class OutcomeId(_Uuid):
    """Ours: one thing that a provider said of a referral."""

    __slots__ = ()


class ReportId(_Uuid):
    """Ours: the copy of one report for one recipient."""

    __slots__ = ()


class ReminderId(_Uuid):
    """Ours: one thing of a referral that waits for somebody."""

    __slots__ = ()


class NoticeId(_Uuid):
    """Ours: one notice of a practice to its ICB."""

    __slots__ = ()


class SubscriptionId(_Uuid):
    """Ours: a provider's wish to be told of its events."""

    __slots__ = ()


class RequestId(_Uuid):
    """The sender's: `X-Request-Id`, one for each message, the same on each retry."""

    __slots__ = ()


class CorrelationId(_Uuid):
    """The sender's: `X-Correlation-Id`, one for each referral's whole life."""

    __slots__ = ()
