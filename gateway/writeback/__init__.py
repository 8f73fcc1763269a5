"""RULE: what may go into a GP record, in which form, and how; and who may see a report.

Pure functions over values, no clock, network or store. A third party writes no code into a
record unless the practice's switch, the kind of sender and the service all allow it; otherwise
what it says reaches the practice as a document. Content is judged by what it holds.

    proposal        what is put to the table: objection, payload, sender, service, switch
    guard           the table itself: rows 1 to 11, the first that matches wins
    ruling          what it says: what is done, by which route, and why codes stay here
    outside         what whoever sent an outcome hears of that, at once and again
    content         what an outcome holds: codes, documents, requests to act; also hidden ones
    clinical        which codings say something of a person's health, and which run the office
    addressed       whether a request in it is for the practice
    attachments     whether the bytes of an attachment are what they say, and do nothing
    pdf, markup     the same, of PDF and of HTML
    allowed         which kinds of sender may write codes for which services
    learned         how the switch for coded writes stands, and how that became known
    interactions    the messages to practices that can be made at all
    report_gate     when a copy of a report may leave, for each of its recipients
    employer_copy   what an employer may read of a report: built from a declared list
    employer_minimum, employer_note   that list, and the one text of a provider's that may pass
    shared_care     whether a request that the practice takes work over is a formal one
"""
