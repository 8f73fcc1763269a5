"""The sharing rules as a table: to be read beside the reference, row by row.

What enters: nothing. What leaves: text, of which `rules` makes the policy; nothing else in the
house says when data may leave. The rows stand in the order of the reference's section 5a,
which is the order in which one of several reasons becomes the primary one.

How to read a condition: names are facts (`facts.VOCABULARY` lists them and their values);
`class` is the class of the purpose, and `?` that of a purpose that no list has. AND, OR and NOT
are Kleene's: a fact may be unknown, and then a condition may be unknown. A row speaks only of
its actions; `moves` are the actions that move data. `always` is true.

A change here changes the policy's version, and is a change of policy: it needs its approval.
"""

ACTION_GROUPS = """
moves | forward, extract, release_report, write_document, write_back, read_record
any   | forward, extract, release_report, write_document, write_back, read_record, activate_agreement, accept_shared_care
"""

RULES = """
R02  | DENY | NOT_CONTROLLER                      | moves                            | NOT registered AND referral_type = clinical
R03  | DENY | UNKNOWN_RECIPIENT                   | forward, extract, release_report | NOT recipient_known
R04  | HOLD | RECIPIENT_ASSURANCE_LAPSED          | forward, extract, release_report | NOT recipient_assured
R05  | DENY | PATIENT_DECEASED                    | forward, release_report          | deceased
R06  | DENY | PURPOSE_NOT_RECOGNISED              | any                              | class = ?
R07  | HOLD | SENSITIVE_PATIENT                   | moves                            | s_flag
R08  | HOLD | AUTHORITY_TO_CONSENT_UNPROVEN       | forward, release_report          | class = explicit AND authority = none
R10  | HOLD | LEGAL_BASIS_NEEDS_AUTHORISATION     | forward, extract                 | class = statutory AND NOT legal_authorised
R20  | DENY | NO_AGREEMENT                        | forward, extract                 | class in explicit, secondary AND (agreement = none OR NOT agreement_covers)
R21  | DENY | AGREEMENT_NOT_IN_FORCE              | forward, extract                 | class in explicit, secondary AND agreement in suspended, withdrawn, expired
R22  | DENY | SECONDARY_SHARING_WITHDRAWN         | forward, extract                 | class = secondary AND (sw_secondary = off OR (sw_secondary = exclusive-withdrawn AND agreement_kind = exclusive-secondary))
R24  | HOLD | MIXED_AGREEMENT_NEEDS_DECISION      | forward, extract                 | class = secondary AND sw_secondary = exclusive-withdrawn AND agreement_kind in mixed, direct
R23  | DENY | NEW_AGREEMENTS_FROZEN               | activate_agreement               | sw_freeze = on AND agr_change in new, widened
R23b | HOLD | RENEWAL_NEEDS_DECISION              | activate_agreement               | sw_freeze = on AND agr_change = renewal
R23c | HOLD | DPIA_MISSING                        | activate_agreement               | NOT dpia
R25  | DENY | UPDATE_RECORD_SWITCHED_OFF          | write_back                       | sw_update_record = off
R26  | DENY | GP_CONNECT_DIRECT_CARE_ONLY         | write_back, read_record          | NOT class = direct
R27  | DENY | INFORMAL_OR_UNRESOURCED_SHARED_CARE | accept_shared_care               | NOT sc_formal OR NOT sc_resourced OR NOT sc_support
R27b | HOLD | PRACTICE_CAPACITY                   | accept_shared_care               | NOT sc_capacity
R28  | HOLD | SEND_DOCUMENT_OFF                   | write_document                   | sw_send_document = off
R30  | DENY | NO_PATIENT_CONSENT                  | forward, release_report          | class = explicit AND consent in none, rejected, entered-in-error
R30b | HOLD | CONSENT_NOT_YET_GIVEN               | forward, release_report          | class = explicit AND consent = proposed
R31  | DENY | CONSENT_WITHDRAWN                   | forward, release_report          | class = explicit AND consent = withdrawn
R32  | DENY | CONSENT_EXPIRED                     | forward, release_report          | class = explicit AND consent = active AND NOT consent_in_period
R33  | HOLD | CONSENT_DOES_NOT_COVER              | forward, release_report          | class = explicit AND consent = active AND (NOT consent_recipient OR NOT consent_purpose)
R34  | HOLD | CONSENT_EVIDENCE_WEAK               | forward, release_report          | class = explicit AND consent = active AND NOT consent_evidence
R35  | DENY | PATIENT_DISSENT                     | forward, read_record, release_report | dissent = after-consent OR (class = direct AND dissent = before-consent)
R35b | HOLD | DISSENT_CONFLICTS_WITH_CONSENT      | forward, release_report          | class = explicit AND dissent = before-consent
R36  | DENY | TYPE_1_OPT_OUT                      | forward, extract                 | type1 AND NOT anonymised AND ((class = secondary AND NOT specific_consent) OR (class = statutory AND honours_type1))
R36b | HOLD | TYPE_1_CONFLICTS_WITH_CONSENT       | forward, extract                 | class = secondary AND type1 AND NOT anonymised AND specific_consent
R37  | DENY | NATIONAL_DATA_OPT_OUT               | forward, extract                 | class = secondary AND ndoo AND NOT anonymised AND NOT specific_consent
R38  | DENY | NO_CONFIDENTIALITY_BASIS            | forward, extract                 | class = secondary AND NOT anonymised AND NOT s251 AND NOT specific_consent
R40h | HOLD | REDACTION_REMOVES_REASON            | forward                          | reason_hit AND (some labels not in consent_labels OR legal_restricted OR sealed)
R44  | HOLD | THIRD_PARTY_INFORMATION             | forward, release_report          | third_party
R45  | HOLD | FREE_TEXT_NOT_REVIEWED              | forward                          | NOT freetext_ok
R50  | DENY | EMPLOYER_NEVER_SEES_CLINICAL        | forward, release_report          | recipient_role in employer, hr AND report not in functional, amra
R51  | DENY | EMPLOYEE_OBJECTS_AFTER_SIGHT        | release_report                   | recipient_role in employer, hr AND sight = objects
R51b | HOLD | EMPLOYEE_SIGHT_PENDING              | release_report                   | recipient_role in employer, hr AND sight = pending AND NOT (report = amra AND sight_days >= 21)
R51c | HOLD | EMPLOYEE_NOT_OFFERED_SIGHT          | release_report                   | recipient_role in employer, hr AND sight = none
R52  | DENY | EMPLOYER_USE_OF_GP_RECORD           | forward, extract                 | referral_type = management AND payload_from_record
R52b | HOLD | PRACTICE_IS_THE_EMPLOYER            | write_document, write_back       | practice_is_employer
R53  | HOLD | RECIPIENT_NO_CAPACITY               | forward                          | NOT recipient_accepting
R54  | DENY | NOT_ELIGIBLE                        | forward                          | purpose = work-health AND (NOT employed OR NOT absence_ok OR prior_12m)
R55  | HOLD | NO_FUNDER                           | forward                          | class = explicit AND NOT funded
R60  | HOLD | FACTS_STALE                         | moves                            | NOT fresh
R61  | HOLD | PAYLOAD_CHANGED                     | forward, release_report, extract | NOT payload_hash_ok
"""

ADDED = """
R00  | DENY | NO_GROUND    | no ground holds, and nothing of what was hit explains why
R01  | HOLD | FACT_UNKNOWN | a fact that a rule or a ground needs is unknown
"""
"""What no condition hits: the combining adds them, R01 with what asked after a full colon."""

EXPLAINS_MISSING_GROUND = "R30b, R33, R34, R10, R23c, R01"
"""These name the fact that would make a ground, so that R00 need not."""

GROUNDS = """
G1  | forward, write_document, write_back, read_record, release_report | class = direct AND registered
G2  | forward, release_report | class = explicit AND consent = active AND consent_in_period AND consent_recipient AND consent_purpose AND consent_evidence
G2d | write_document          | class = explicit
G3  | forward, extract        | class = secondary AND agreement = active AND agreement_covers AND (anonymised OR s251 OR specific_consent)
G4  | forward, extract        | class = statutory AND legal_authorised
G5  | activate_agreement      | dpia
G5s | accept_shared_care      | sc_formal AND sc_resourced AND sc_support
"""

OBLIGATIONS = """
LOG_DISCLOSURE            | PERMIT     | forward, release_report, extract      | perhaps | always
RECALL_HANDLE             | PERMIT     | forward                               | perhaps | class in direct, explicit
NOTIFY_PRACTICE           | PERMIT     | forward                               | surely  | class in direct, explicit AND NOT practice_is_employer
NOTIFY_NAMED_CLINICIAN    | PERMIT     | forward                               | perhaps | class in direct, explicit AND practice_is_employer
NORDSCLCD                 | PERMIT     | forward                               | perhaps | class = explicit
NORDSCLCD                 | PERMIT     | release_report                        | perhaps | always
NOREUSE                   | PERMIT     | forward                               | perhaps | class = explicit
COPY_TO_PATIENT           | PERMIT     | forward                               | perhaps | class = explicit
MINEC                     | PERMIT     | forward                               | perhaps | class = explicit OR NOT minimum
REDACT                    | PERMIT     | forward                               | perhaps | (class = explicit AND some labels not in consent_labels) OR legal_restricted OR sealed
REDACT_SILENT             | PERMIT     | forward                               | perhaps | legal_restricted OR sealed
DEID                      | PERMIT     | extract                               | perhaps | anonymised
SMALL_NUMBERS             | PERMIT     | extract                               | perhaps | anonymised
PROVENANCE                | PERMIT     | write_back, write_document            | perhaps | always
LOG_WRITE                 | PERMIT     | write_back, write_document            | perhaps | always
LOG_ACCESS                | PERMIT     | read_record                           | perhaps | always
REDACT_SILENT             | PERMIT     | read_record                           | perhaps | always
DPO_RECORD                | PERMIT     | any                                   | perhaps | class = statutory
LOG_AGREEMENT             | PERMIT     | activate_agreement, accept_shared_care | perhaps | always
TASK                      | HOLD       | any                                   | perhaps | always
NOTIFY_REFERRER           | DENY       | any                                   | perhaps | always
EXTERNAL_REASON_NOT_FOUND | HOLD, DENY | any                                   | perhaps | s_flag
FALLBACK_SEND_DOCUMENT    | PERMIT, HOLD, DENY | write_back                    | surely  | sw_update_record = off
"""
"""Duties that come with an effect. `perhaps`: also where the condition is unknown; `surely`:
only where it is known to hold."""
