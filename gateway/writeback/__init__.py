"""RULE: what may go into a GP record, in which form, and how; and who may see a report.

Pure functions over values, no clock, network or store. A third party writes no code into a
record unless the practice's switch, the kind of sender and the service all allow it; otherwise
what it says reaches the practice as a document. Content is judged by what it holds.

    content      what an outcome holds: codes, documents, requests to act; also where they hide
    attachments  whether the bytes of an attachment are what they say, and do nothing
    allowed      which kinds of sender may write codes for which services
    learned      how the switch for coded writes stands, and how that became known
    guard        the table: objection, content, sender and switch to what is done
    interactions the GP Connect messages that can be made at all
    report_gate  when a copy of a report may leave, for each of its recipients
    employer_copy what an employer may read of a report
    shared_care  whether a request that the practice takes work over is a formal one
"""
