"""What each rule tells whom: the staff, the patient, an outsider, and how to mend it.

What enters: nothing. What leaves: WORDS, by rule. No text names a person or quotes a message.
Patient texts are for a reader of about eleven: short words, short sentences. External texts
go to whoever asks from outside the practice: they never tell why a person is protected.
"""

from collections.abc import Mapping
from dataclasses import dataclass

NOT_FOUND = "The patient was not found."
"""What outsiders are told of a protected person, whatever the reason."""
_CHECKED = "The referral is being checked."


@dataclass(frozen=True, slots=True)
class Words:
    """One rule's texts. `owner` is the role whose task a HOLD becomes."""

    staff: str
    patient: str
    external: str
    remedy: str
    owner: str = "practice"


WORDS: Mapping[str, Words] = {
    "R00": Words(
        "No ground permits this.",
        "There was no good reason to send this, so we did not.",
        "There is no basis for sharing this.",
        "Choose a purpose that fits the act.",
    ),
    "R01": Words(
        "A fact that this decision needs is not known.",
        "We need to check something before we send this.",
        _CHECKED,
        "Complete the message or the directory; the code names the rule that asks.",
    ),
    "R02": Words(
        "The patient is not registered at the practice that sent this.",
        "Your own GP practice has to send this.",
        "The sending practice is not responsible for this record.",
        "Let the practice where the patient is registered now send the referral.",
    ),
    "R03": Words(
        "The service or its provider is not in the directory.",
        "We do not know the service this was sent to.",
        "The service asked for is not known here.",
        "Check the service id, or ask the gateway's operator to add the service.",
        owner="operator",
    ),
    "R04": Words(
        "The provider's security assurance has lapsed.",
        "We are checking that the service keeps your details safe.",
        "The provider's assurance needs renewing.",
        "Renew the provider's assurance in the directory.",
        owner="operator",
    ),
    "R05": Words(
        "The message says that the patient has died.",
        "This cannot be sent.",
        "The referral cannot be made.",
        "Use the Access to Health Records Act 1990 route.",
    ),
    "R06": Words(
        "The purpose is not one that these rules know.",
        "We do not know what this is for, so we did not send it.",
        "The purpose is not recognised.",
        "Choose a listed purpose.",
        owner="operator",
    ),
    "R07": Words(
        "The patient's record is marked sensitive in the Personal Demographics Service.",
        "Your record has extra care. A person will look at this for you.",
        NOT_FOUND,
        "Handle this by hand; tell nobody outside that the record is marked.",
    ),
    "R08": Words(
        "Somebody else consented for the patient, and nothing proves that they may.",
        "Someone said yes for you. We are checking that they may do that.",
        "The evidence of consent is incomplete.",
        "Show by what right the signer consents, or ask the patient.",
    ),
    "R10": Words(
        "A legal duty or power is claimed, and nobody has authorised it yet.",
        "The law may ask for this. Two people must check it first.",
        "The request waits for authorisation.",
        "Let the data protection officer and the Caldicott Guardian both authorise it.",
    ),
    "R20": Words(
        "The practice has no agreement with this provider for this purpose.",
        "Your practice has not agreed to share details with this service.",
        "No data-sharing agreement covers this.",
        "Sign an agreement that covers the purpose.",
    ),
    "R21": Words(
        "The agreement with this provider is not in force.",
        "Your practice has stopped sharing details with this service.",
        "The data-sharing agreement is not in force.",
        "Reinstate the agreement, or choose another provider.",
    ),
    "R22": Words(
        "The practice withdrew sharing for secondary purposes.",
        "Your practice shares details for your own care only.",
        "The practice does not share for secondary purposes.",
        "The practice decides about its switch.",
    ),
    "R24": Words(
        "The agreement serves direct care and secondary purposes alike.",
        "Your practice has to say if this may be shared.",
        "The practice has to decide.",
        "The practice says whether the secondary part of this agreement stops.",
    ),
    "R23": Words(
        "The practice signs no new or wider agreements at present.",
        "Your practice is not making new deals to share details now.",
        "The practice signs no new agreements at present.",
        "The practice decides about its freeze; agreements in force go on.",
    ),
    "R23b": Words(
        "The practice froze sign-up, and an agreement is due for renewal unchanged.",
        "Your practice has to say if an old deal goes on.",
        "The practice has to decide.",
        "The practice confirms that this is a renewal and no new agreement, or lets it end.",
    ),
    "R23c": Words(
        "No data protection impact assessment is on file for this agreement.",
        "Your practice is checking that your details would be safe.",
        "The impact assessment is missing.",
        "Put the impact assessment on file.",
    ),
    "R25": Words(
        "The practice lets nobody else write codes into its records.",
        "Your practice writes your notes itself.",
        "The practice does not take coded entries.",
        "Send the content to the practice as a document.",
    ),
    "R26": Words(
        "GP Connect serves direct care only, and this purpose is another.",
        "This way to your notes is for your own care only.",
        "GP Connect may not be used for this purpose.",
        "Send a document instead, or ask the practice.",
    ),
    "R27": Words(
        "Shared care was asked for without a formal agreement, resources or specialist support.",
        "Your GP was asked to take over care, but the plan is not complete.",
        "The practice takes part in formal, resourced and supported shared care only.",
        "Make a formal proposal that says who pays and which specialist supports it.",
    ),
    "R27b": Words(
        "The shared care is well founded, but the practice has no capacity now.",
        "Your practice is full. It will look at this again.",
        "The practice has no capacity at present.",
        "The practice says whether and when it can take this on.",
    ),
    "R28": Words(
        "The practice takes no documents by this route at present.",
        "We are finding a safe way to reach your practice.",
        "The practice takes no documents by this route.",
        "Send it by secure mail, and record that.",
    ),
    "R30": Words(
        "There is no explicit consent of the patient for this.",
        "You have not said yes to this, so we did not send it.",
        "The patient has not consented.",
        "Ask the patient; send the referral again with an active Consent that names the provider"
        " and the purpose.",
    ),
    "R30b": Words(
        "The patient was asked and has not answered.",
        "We are waiting for your answer.",
        "Waiting for the patient.",
        "Ask the patient to answer.",
    ),
    "R31": Words(
        "The patient withdrew consent.",
        "You changed your mind, so we did not send it.",
        "The patient has not consented.",
        "Nothing leaves unless the patient gives a new consent.",
    ),
    "R32": Words(
        "The period of the patient's consent has ended or not begun.",
        "The time you agreed to is over, so we did not send it.",
        "The patient's consent is out of date.",
        "Ask the patient for a new consent.",
    ),
    "R33": Words(
        "The patient's consent does not name this provider, or not this purpose.",
        "You said yes to something else. We will ask you first.",
        "The patient's consent does not cover this.",
        "Ask the patient about this provider and purpose; send the answer as a Consent.",
    ),
    "R34": Words(
        "The Consent does not say who gave it and when.",
        "We are checking what you agreed to.",
        "The evidence of consent is incomplete.",
        "Complete Consent.performer and Consent.dateTime.",
    ),
    "R35": Words(
        "The patient objects to this sharing.",
        "You asked us not to share this, so we did not.",
        "The patient has not consented.",
        "Ask the practice; only the patient can take the objection back.",
    ),
    "R35b": Words(
        "An older refusal to share stands beside a newer consent.",
        "You once said no and then said yes. We will check with you.",
        _CHECKED,
        "The practice confirms with the patient which of the two counts.",
    ),
    "R36": Words(
        "The patient has a Type 1 opt-out.",
        "You asked us to use your details for your own care only, so we did not share this.",
        "The patient has opted out.",
        "Share anonymised data only.",
    ),
    "R36b": Words(
        "A Type 1 opt-out stands beside a consent to this very use.",
        "You once said no and then said yes. We will check with you.",
        _CHECKED,
        "The practice confirms with the patient which of the two counts.",
    ),
    "R37": Words(
        "The patient has a national data opt-out.",
        "You asked the NHS to use your details for your own care only, so we did not share this.",
        "The patient has opted out.",
        "Share anonymised data only.",
    ),
    "R38": Words(
        "Neither consent, section 251 support nor anonymity sets confidentiality aside here.",
        "No rule lets us share this about you, so we did not.",
        "There is no basis for sharing identifiable data.",
        "Anonymise, or obtain section 251 support or the patient's consent. An agreement is no"
        " such basis.",
    ),
    "R40h": Words(
        "What must be withheld is the reason for the referral.",
        "To send this we would have to share something private. We will ask you first.",
        _CHECKED,
        "Ask the patient whether the protected part may be shared with this provider.",
    ),
    "R44": Words(
        "The referral tells something about a third person.",
        "This speaks of someone else. We will look at it first.",
        _CHECKED,
        "Review it; remove what is about the third person, or obtain their consent.",
    ),
    "R45": Words(
        "Free text or an attachment has not been reviewed.",
        "Someone has to read this before it goes.",
        _CHECKED,
        "Let a clinician review the text and the attachments.",
    ),
    "R50": Words(
        "An employer or HR service receives a functional or AMRA report, and nothing else.",
        "We never send your medical details to your employer.",
        "This recipient may not receive this.",
        "Refer to an occupational health provider, or release a functional report.",
    ),
    "R51": Words(
        "The employee saw the report and objects to its release.",
        "You said no after you read it, so we did not send it.",
        "The report cannot be released.",
        "Nothing is released unless the employee agrees.",
    ),
    "R51b": Words(
        "The employee asked to see the report first and has not answered.",
        "You asked to see this first. We are waiting for you.",
        "The report is not ready for release.",
        "Ask the employee again. Only a report under the Access to Medical Reports Act may go"
        " after 21 days.",
    ),
    "R51c": Words(
        "Nobody has offered the employee to see the report first.",
        "You may see this first. We will ask you.",
        "The report is not ready for release.",
        "Offer the employee the report, and record the answer.",
    ),
    "R52": Words(
        "A management referral carries data from the GP record.",
        "Your boss may not use your GP notes, so we did not send this.",
        "An employer may not use the GP record.",
        "Send only what the employee wrote or agreed to; leave out all record data.",
    ),
    "R52b": Words(
        "The practice is the person's employer; colleagues could read this.",
        "You work where your notes are kept. We will ask where to send this.",
        _CHECKED,
        "Ask the employee which route to take, if any.",
    ),
    "R53": Words(
        "The service takes no referrals at present.",
        "The service is full. We are looking for another.",
        "The service has no capacity.",
        "Choose another service, with the patient's consent, or wait.",
        owner="operator",
    ),
    "R54": Words(
        "The person does not meet the Health and Work service's conditions.",
        "This service is for people with a job who are off sick for a month or more.",
        "The person is not eligible for this service.",
        "Refer to a local occupational health service.",
    ),
    "R55": Words(
        "Nobody is named who pays for this staff group.",
        "We are finding out who pays for this.",
        "No funder is named.",
        "Name the payer.",
    ),
    "R60": Words(
        "The facts of this decision are older than is allowed.",
        "We are checking that all we know is up to date.",
        _CHECKED,
        "Read the facts again, and decide again.",
        owner="operator",
    ),
    "R61": Words(
        "What would be sent is not what was received.",
        "We are checking your referral before it goes.",
        _CHECKED,
        "Find out who changed the stored message; send the referral again.",
        owner="operator",
    ),
}
"""The task of R01 goes to the owner of the rule that asks, and to R01's own for a ground."""
