"""The referral gateway: GP referrals out, outcomes back, every decision provable.

The walk of a referral, in reading order (one direction, nine files)::

    inbound/referral_routes.py   the front door: bytes in, receipt or refusal out
    fhir/read_referral.py        bytes -> one IncomingReferral
    journey/accept.py            steps 1-6: repeat? whose? where? may it? store, answer
    routing/candidates.py        which services could take it, and why
    consent/decide.py            PERMIT, HOLD or DENY, with every reason
    store/referrals.py           the rows that make it durable
    outbound/worker.py           claims what is due, one lease at a time
    journey/deliver.py           decide again, release, send, settle
    mapping/fhir_rest.py         the exact bytes that a provider receives

The house, in layers (each imports downward only; checked by import-linter)::

    cli, app                                composition root and command line
    inbound | outbound | console            front door, back door, the window
    journey                                 THE WALK: one flow a function
    store                                   MEMORY: the only SQL
    mapping                                 WIRE: referral -> destination format
    fhir                                    WIRE: bytes <-> resources
    consent | writeback | routing | ledger  RULES: pure functions
    referral                                NOUNS: identifiers, model, lifecycle, directory
    errors                                  the error tree

Glossary (one word per idea):

    practice     a GP practice: the controller of the record, known by its ODS code
    sender       an authenticated client acting for one organisation
    referral     a ServiceRequest with everything that came with it
    service      a HealthcareService that a provider offers
    provider     an occupational health provider, EAP, HR service or Health and Work service
    commissioner who pays: an ICB or NHS England
    agreement    a data-sharing agreement between a practice and a provider
    switch       a practice's control over one kind of sharing
    consent      the patient's FHIR Consent
    register     the Consents that practices record here, each in versions
    notice       a practice's letter to its ICB about what it changed
    decision     PERMIT, HOLD or DENY with reasons and obligations
    moment       as of when something counts, and as of when it was known
    flip         a smallest set of steps that would change an answer
    plan         what of a message must stay behind, and why
    candidate    a service that could take a referral, with the reason it is one
    release      a decision bound to exact bytes and a lease
    delivery     the attempts to bring one referral to one service
    lane         how one destination stands: its limits, and whether it answers
    withdrawal   sharing that was taken back, with what became of each delivery that it covers
    recall       word to a service that a referral was taken back
    feed         a provider's numbered list of what happened to its Tasks
    subscription a provider's wish to be told of new events of its feed
    outcome      what a provider says became of a referral
    ruling       what the write guard makes of an outcome: codes, a document, held, refused
    letter       a document on its way to a practice, and what the practice's system answered
    copy         a report as one recipient may have it: shown, answered, released or withheld
    reminder     what waits for somebody, with a date
    profile      what is asked of a message beyond FHIR R4, as a file of fhir_profiles/
    hop          one leg of the journey, shown to its owner as a FHIR Task
    handle       the random name of one person at one practice
    entry        one line of the ledger
"""

__version__ = "0.1.0"
