import uuid

import pytest

from gateway.referral.identifiers import (
    AgreementId,
    ClientId,
    CorrelationId,
    DecisionId,
    DeliveryId,
    DosServiceId,
    EndpointId,
    Handle,
    NhsNumber,
    OdsCode,
    ReferralId,
    ReferralReference,
    RequestId,
    ServiceId,
    _respelt,
    normal_system,
)

NHS_NUMBER = "9990000018"
UUID = "12345678-9abc-def0-1234-56789abcdef0"


@pytest.mark.parametrize(
    ("kind", "sent", "kept"),
    [
        (OdsCode, " a81001 ", "A81001"),
        (OdsCode, "RX1", "RX1"),
        (NhsNumber, "999 000 0018", NHS_NUMBER),
        (NhsNumber, "999-000-0018", NHS_NUMBER),
        (ClientId, "emis.web_1", "emis.web_1"),
        (ServiceId, "oh-north-2", "oh-north-2"),
        (AgreementId, "DSA-2026.1", "DSA-2026.1"),
        (EndpointId, "oh-north-2", "oh-north-2"),
        (DosServiceId, "2000099999", "2000099999"),
        (Handle, "0" * 32, "0" * 32),
        (ReferralReference, "RG-7K3M-9QX2", "RG-7K3M-9QX2"),
        (ReferralId, UUID.upper(), UUID),
        (DeliveryId, UUID, UUID),
        (DecisionId, UUID, UUID),
        (RequestId, UUID, UUID),
        (CorrelationId, UUID, UUID),
    ],
)
def test_an_identifier_is_kept_in_its_one_spelling(kind: type[str], sent: str, kept: str) -> None:
    assert kind(sent) == kept
    assert type(kind(sent)) is kind


@pytest.mark.parametrize(
    ("kind", "bad"),
    [
        pytest.param(OdsCode, "", id="empty"),
        pytest.param(OdsCode, "A8", id="too_short"),
        pytest.param(OdsCode, "A8100123456", id="too_long"),
        pytest.param(OdsCode, "A8-1001", id="hyphen"),
        pytest.param(OdsCode, "A8100\u0131", id="dotless_i_whose_upper_case_is_ascii"),
        pytest.param(OdsCode, "a\u00df1", id="sharp_s_whose_upper_case_is_ascii"),
        pytest.param(OdsCode, NHS_NUMBER, id="nhs_number_for_an_organisation"),
        pytest.param(NhsNumber, "999000001", id="nine_digits"),
        pytest.param(NhsNumber, "99900000180", id="eleven_digits"),
        pytest.param(NhsNumber, "\u0669990000018", id="arabic_digit"),
        pytest.param(NhsNumber, "999000001X", id="letter"),
        pytest.param(ClientId, NHS_NUMBER, id="nhs_number_for_a_client"),
        pytest.param(ClientId, "gp-999-000-0018", id="nhs_number_with_hyphens_for_a_client"),
        pytest.param(ClientId, ".hidden", id="client_starts_with_a_dot"),
        pytest.param(ServiceId, f"oh-{NHS_NUMBER}", id="nhs_number_in_a_service"),
        pytest.param(ServiceId, "OH", id="upper_case_service"),
        pytest.param(AgreementId, NHS_NUMBER, id="nhs_number_for_an_agreement"),
        pytest.param(EndpointId, NHS_NUMBER, id="nhs_number_for_an_endpoint"),
        pytest.param(DosServiceId, "a" * 33, id="too_long_dos_service"),
        pytest.param(Handle, "g" * 32, id="not_hexadecimal"),
        pytest.param(Handle, "0" * 31, id="short_handle"),
        pytest.param(ReferralReference, "RG-7K3I-9QX2", id="letter_not_in_crockford"),
        pytest.param(ReferralReference, "8M4N-0RY3", id="no_prefix"),
        pytest.param(ReferralId, UUID[:-1], id="short_uuid"),
        pytest.param(RequestId, f"{{{UUID}}}", id="braces"),
        pytest.param(RequestId, UUID.replace("-", ""), id="no_hyphens"),
    ],
)
def test_what_is_no_identifier_is_refused_without_being_quoted(kind: type[str], bad: str) -> None:
    with pytest.raises(ValueError, match=r" is | looks like ") as refused:
        kind(bad)
    assert not bad or bad not in str(refused.value)


@pytest.mark.parametrize("number", [NHS_NUMBER, "9991590838", "9990166137", "9990000026"])
def test_a_right_check_digit_checks(number: str) -> None:
    assert NhsNumber(number).checks


@pytest.mark.parametrize("number", ["9990000019", "9990000027", "9991590883"])
def test_a_wrong_check_digit_does_not_check(number: str) -> None:
    assert not NhsNumber(number).checks


@pytest.mark.parametrize("last", "0123456789")
def test_a_number_whose_check_digit_would_be_ten_never_checks(last: str) -> None:
    # 10 * 1 + 2 * 1 = 12; 12 % 11 = 1; 11 - 1 = 10.
    assert not NhsNumber(f"100000001{last}").checks


@pytest.mark.parametrize(
    ("number", "spelt"),
    [
        (0, "RG-0000-0000"),
        (31, "RG-0000-000Z"),
        (32, "RG-0000-0010"),
        (2**40 - 1, "RG-ZZZZ-ZZZZ"),
        (2**40, "RG-0000-0000"),
    ],
)
def test_a_referral_reference_spells_forty_bits(number: int, spelt: str) -> None:
    assert ReferralReference.of(number) == spelt


def test_every_letter_of_a_reference_is_one_that_the_reference_allows() -> None:
    for index in range(32):
        assert ReferralReference.of(index)[-1] == ReferralReference.ALPHABET[index]


def test_a_uuid_object_is_taken_as_it_is() -> None:
    assert ReferralId.of(uuid.UUID(UUID)) == UUID


def test_a_part_of_a_referral_has_the_same_name_every_time_and_no_other_has_it() -> None:
    one, other = ReferralId(UUID), ReferralId(UUID.replace("9", "8"))
    assert one.part("urn:uuid:a") == one.part("urn:uuid:a")
    assert len({one.part("urn:uuid:a"), one.part("urn:uuid:b"), other.part("urn:uuid:a")}) == 3


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("http://fhir.nhs.uk/Id/nhs-number", "https://fhir.nhs.uk/Id/nhs-number"),
        ("https://fhir.nhs.uk/id/nhs-number", "https://fhir.nhs.uk/Id/nhs-number"),
        ("HTTP://FHIR.NHS.UK/id/nhs-number", "https://fhir.nhs.uk/Id/nhs-number"),
        ("http://fhir.hl7.org.uk/Id/x", "https://fhir.hl7.org.uk/Id/x"),
        (
            "http://fhir.nhs.uk/Codesystem/message-reason-bars",
            "https://fhir.nhs.uk/CodeSystem/message-reason-bars",
        ),
        (
            "https://fhir.nhs.uk/Codesystem/usecase-categories-bars",
            "https://fhir.nhs.uk/CodeSystem/usecases-categories-bars",
        ),
        ("https://fhir.nhs.uk/Id/id/codes", "https://fhir.nhs.uk/Id/id/codes"),
        ("http://fhir.nhs.uk.evil.example/Id/x", "http://fhir.nhs.uk.evil.example/Id/x"),
        ("http://snomed.info/sct", "http://snomed.info/sct"),
        ("", ""),
    ],
)
def test_a_system_of_the_nhs_has_one_spelling(sent: str, kept: str) -> None:
    assert normal_system(sent) == kept
    assert normal_system(kept) == kept


def test_a_long_system_is_respelt_and_not_remembered() -> None:
    def remembered() -> int:
        return _respelt.cache_info().currsize

    _respelt.cache_clear()
    long = "fhir.nhs.uk/Id/" + "a" * 200
    assert normal_system(f"http://{long}") == f"https://{long}"
    assert remembered() == 0
    normal_system("http://fhir.nhs.uk/Id/nhs-number")
    assert remembered() == 1
