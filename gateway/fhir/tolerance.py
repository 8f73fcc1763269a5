"""What only deviates: accepted, named in a warning, and read in its normal form.

What enters: a message that `validate` has passed: a Bundle of any kind, or a ServiceRequest
with what it contains. What leaves: warnings, each with its place; no value is quoted. The
message itself is never changed: it is stored and sent on as received.

The table is the rule. Whatever is in no row is either right, or is refused whole: what
breaks structure, workflow or the safety of patients. Each row says what deviates (`says`,
which the sender reads), why that is tolerated (`because`), and what is made of it inside
(`normalised`). Rows without `find` need no warning here: both forms are official, or
another part of the house deals with them, which `normalised` names.

Source: the contradictions and traps of the NHS wire reference (`row`, by its number there,
or by the section of that reference).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from gateway.errors import Fault, IssueCode, Severity
from gateway.fhir import deviations as found
from gateway.fhir import omissions as missing
from gateway.fhir.faults import MAX_FAULTS
from gateway.referral.json import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerated:
    """One row: a deviation, and what is done about it."""

    key: str
    row: str
    says: str
    because: str
    normalised: str
    code: IssueCode = IssueCode.VALUE
    find: Callable[[found.Seen], Iterator[str]] | None = None


TABLE: Final = (
    Tolerated(
        key="nhs-number-check-digit",
        row="1.5",
        says="This NHS number fails the modulus 11 check. Compare it with the patient's record.",
        because="Most official BaRS examples carry such numbers, so refusing them would refuse"
        " the standard's own messages. Who the patient is, is what the practice states.",
        normalised="Kept as sent. Blanks and hyphens are taken out for comparison only.",
        find=found.nhs_numbers_that_fail_the_check,
    ),
    Tolerated(
        key="fractions-of-seconds",
        row="1.4",
        says="An instant has up to seven digits after the second.",
        because="FHIR permits any number of them, and BaRS asks for up to seven.",
        normalised="Kept as sent.",
    ),
    Tolerated(
        key="codesystem-folder",
        row="1",
        says="This system says Codesystem; the registered spelling is CodeSystem.",
        because="The official examples of outcomes spell it so; it names the same system.",
        normalised="gateway/referral/identifiers.py respells it, normal_system.",
        find=found.systems_with_small_codesystem,
    ),
    Tolerated(
        key="unavailable-codes",
        row="2",
        says="REC_UNAVAILABLE is also written REC_SERVICE_UNAVAILABLE.",
        because="The code system has the one, the examples have the other.",
        normalised="gateway/fhir/refusals.py sends the registered one; a destination's"
        " answer is judged by its HTTP status in gateway/outbound/fhir_rest.py.",
    ),
    Tolerated(
        key="id-folder",
        row="3",
        says="This system says id; UK Core fixes the spelling Id.",
        because="The official BaRS examples write organisations so; it names the same system.",
        normalised="gateway/referral/identifiers.py respells it, normal_system.",
        find=found.systems_with_small_id,
    ),
    Tolerated(
        key="http-for-https",
        row="4",
        says="This system begins with http; the registered one begins with https.",
        because="Official examples write service ids so; it names the same system.",
        normalised="gateway/referral/identifiers.py respells it, normal_system.",
        find=found.systems_with_http,
    ),
    Tolerated(
        key="use-case-singular",
        row="5",
        says="The system of the use case is usecases-categories-bars, in the plural.",
        because="The guide's own pseudo-code has the singular; no other system has that name.",
        normalised="gateway/referral/identifiers.py respells it, normal_system.",
        find=found.use_case_systems_in_the_singular,
    ),
    Tolerated(
        key="use-case-capitals",
        row="6",
        says="The codes of use cases are in lower case.",
        because="The guide's text writes them in capitals, its code system in lower case; no"
        " two differ by that alone.",
        normalised="gateway/fhir/read_referral.py reads the code in lower case.",
        code=IssueCode.CODE_INVALID,
        find=found.use_cases_in_capitals,
    ),
    Tolerated(
        key="cdss-urls",
        row="7",
        says="The parts of the CDSS extension are RequesterCDSSsoftware and RequesterCDSSversion.",
        because="The guide spells them in three ways; they describe the sender's software and"
        " decide nothing.",
        normalised="Kept as sent: no rule reads them.",
        code=IssueCode.EXTENSION,
        find=found.cdss_urls_spelt_otherwise,
    ),
    Tolerated(
        key="profile-typo",
        row="8",
        says="The profile of the message header is spelt BARSMessageHeader.",
        because="The guide has the typo in one of its tables; what a message must carry is"
        " decided by its event and definition.",
        normalised="Kept as sent: no rule reads it.",
        find=found.profiles_with_the_typo,
    ),
    Tolerated(
        key="cancel-by-delete",
        row="9",
        says="A cancellation has the reason update.",
        because="One table of the guide and one official example say delete, and mean the same.",
        normalised="gateway/fhir/bars/workflow.py takes both for a cancellation.",
        find=found.cancellations_by_delete,
    ),
    Tolerated(
        key="cancel-of-another-category",
        row="10",
        says="A cancellation repeats the category of what it cancels, which here is referral.",
        because="The official examples of a cancellation have the category validation. What is"
        " cancelled is found by its identifiers, not by its category.",
        normalised="gateway/fhir/bars/workflow.py takes any category on a cancellation.",
        find=found.cancellations_with_another_category,
    ),
    Tolerated(
        key="response-definition",
        row="11",
        says="The registered definition is bars-message-servicerequest-response-referral-short.",
        because="Two official responses name an address that nobody has registered.",
        normalised="gateway/fhir/bars/workflow.py goes by the event.",
        find=found.unregistered_responses,
    ),
    Tolerated(
        key="unknown-definition",
        row="11",
        says="This definition is neither one that BaRS has registered nor one of this gateway;"
        " the message was held against the definition of its kind.",
        because="Bespoke definitions may be used through BaRS, and one that is not known here"
        " asks for nothing less than the definition of its kind.",
        normalised="gateway/fhir/bars/check.py takes the definition of the message's kind.",
        code=IssueCode.NOT_SUPPORTED,
        find=found.unknown_definitions,
    ),
    Tolerated(
        key="codes-for-missing-ids",
        row="12",
        says="A missing or malformed request id has three issue codes in the guide.",
        because="It is about our answers.",
        normalised="gateway/inbound/request.py answers required or value, as the table says.",
    ),
    Tolerated(
        key="codes-for-401-and-406",
        row="13",
        says="The issue codes of 401 and 406 differ between the guide's pages.",
        because="It is about our answers.",
        normalised="gateway/fhir/refusals.py answers as the table says.",
    ),
    Tolerated(
        key="software-header",
        row="14",
        says="The documented NHSD-Requesting-Software is not valid FHIR: objects for arrays.",
        because="It is a header, kept for the log of who calls; it decides nothing. In a body"
        " the same faults break the structure, and are refused.",
        normalised="gateway/inbound/request.py takes a referral with the header in any form.",
    ),
    Tolerated(
        key="number-of-services",
        row="15",
        says="A referral has one HealthcareService, or several.",
        because="The prose says one, the message definition one or more; the definition rules.",
        normalised="gateway/fhir/bars/check.py counts as the message definition says.",
    ),
    Tolerated(
        key="headers-that-may-be-missing",
        row="16",
        says="NHSD-End-User-Organisation and use-context may be missing.",
        because="The API says required, the guide says optional; receivers must ignore"
        " use-context.",
        normalised="gateway/inbound/request.py checks the organisation where it is sent.",
    ),
    Tolerated(
        key="verification-status",
        row="17",
        says="The verification status of an NHS number is in the older system or in the newer.",
        because="Both are official, in BaRS and in UK Core, so neither deviates.",
        normalised="Kept as sent: the destination gets what the practice stated.",
    ),
    Tolerated(
        key="journey-id",
        row="18",
        says="Encounter.episodeOfCare leads to nothing in the message.",
        because="It is the journey's id, and is never in the bundle.",
        normalised="Kept as sent, so that the journey's id survives.",
    ),
    Tolerated(
        key="dangling-reference",
        row="19",
        says="This reference leads to no entry of the message. Send the resource with it.",
        because="An official message has two; what a referral needs to be understood and routed"
        " is checked by name, and who it is about is never taken from such a reference.",
        normalised="Kept as sent. It counts as a reference to something outside the message.",
        code=IssueCode.NOT_FOUND,
        find=found.references_that_lead_nowhere,
    ),
    Tolerated(
        key="error-codes-of-the-api",
        row="20",
        says="A receiver answers with a code that is the API's own, SEND_ for REC_.",
        because="It is about answers.",
        normalised="gateway/fhir/refusals.py sends REC_; a destination's answer is judged by"
        " its HTTP status in gateway/outbound/fhir_rest.py.",
    ),
    Tolerated(
        key="snomed-check-digit",
        row="21",
        says="This is no SNOMED CT identifier: its length, partition or check digit is wrong."
        " Look the code up again; spreadsheets round long codes.",
        because="Two official messages carry such a code. No code is guessed: it routes nothing"
        " unless a service lists it as it is.",
        normalised="Kept as sent, and compared as sent.",
        code=IssueCode.CODE_INVALID,
        find=found.snomed_codes_that_fail_the_check,
    ),
    Tolerated(
        key="reused-bundle-id",
        row="22",
        says="Bundle.id is that of an earlier message.",
        because="Official updates keep it, and official examples share it by mistake.",
        normalised="Never a key. gateway/journey/accept.py knows a repeat by the sender and its"
        " X-Request-Id.",
    ),
    Tolerated(
        key="versions-of-the-api",
        row="23",
        says="The API's document and the guide name different versions.",
        because="It is about headers.",
        normalised="gateway/inbound/media.py negotiates by the major version.",
    ),
    Tolerated(
        key="entry-without-urn",
        row="1.4",
        says="An entry of a message has a fullUrl: urn:uuid and a UUID.",
        because="Whatever leads nowhere is refused or named by itself, so that a name of"
        " another form, or none where nobody asks for it, confuses nobody.",
        normalised="gateway/fhir/references.py takes any fullUrl that is used once.",
        find=missing.entries_without_a_urn,
    ),
    Tolerated(
        key="message-without-profile",
        row="1.4",
        says="A message claims the profile BARSBundleMessage in Bundle.meta.profile. Add it.",
        because="A message is held against the profiles of its kind, whatever it claims.",
        normalised="gateway/fhir/examine.py chooses by the header.",
        code=IssueCode.REQUIRED,
        find=missing.messages_without_a_profile,
    ),
    Tolerated(
        key="message-without-last-updated",
        row="1.4",
        says="A message says in Bundle.meta.lastUpdated when it was last changed. Add it.",
        because="No rule here reads it.",
        normalised="Kept as sent.",
        code=IssueCode.REQUIRED,
        find=missing.messages_without_a_time_of_change,
    ),
    Tolerated(
        key="encounter-without-journey",
        row="1.4",
        says="Encounter.episodeOfCare names the journey. Add its id, so that those who follow"
        " can tell which referrals belong together.",
        because="Official examples leave it out, and a referral is understood without it.",
        normalised="Kept as sent; no journey's id is made up.",
        code=IssueCode.REQUIRED,
        find=missing.encounters_without_a_journey,
    ),
    Tolerated(
        key="unverified-nhs-number",
        row="1.5",
        says="BaRS sends an NHS number with its verification status: present and verified, or"
        " present but not traced. State it, or leave the number out.",
        because="Who the patient is, is what the practice states; a destination that needs a"
        " traced number sees that none is stated.",
        normalised="Kept as sent; no status is made up.",
        code=IssueCode.REQUIRED,
        find=missing.nhs_numbers_without_a_good_status,
    ),
    Tolerated(
        key="patient-without-first-contact",
        row="1.5",
        says="The Patient has exactly one contact whose ContactRank is 1. Say who is called first.",
        because="Some patients have nobody, and a referral is understood without it.",
        normalised="Kept as sent.",
        code=IssueCode.REQUIRED,
        find=missing.patients_without_a_first_contact,
    ),
    Tolerated(
        key="service-not-active",
        row="1.4",
        says="The HealthcareService says that it is active. Set active to true.",
        because="Whether a service takes referrals is what the gateway's own directory says.",
        normalised="gateway/fhir/read_referral.py takes the service's id only.",
        find=missing.services_that_are_not_active,
    ),
)


def tolerated(tree: JsonObject) -> list[Fault]:
    """Name what deviates in a message that is accepted all the same.

    Returns: warnings in the order of the table, at most `faults.MAX_FAULTS`.
    """
    seen = found.look_at(tree)
    warnings: list[Fault] = []
    for entry in TABLE:
        for place in entry.find(seen) if entry.find else ():
            if len(warnings) == MAX_FAULTS:
                return warnings
            warnings.append(
                Fault(
                    severity=Severity.WARNING,
                    code=entry.code,
                    expression=place,
                    diagnostics=entry.says,
                )
            )
    return warnings
