"""The cases of the self-test, in the order in which they are tried: a closed list."""

from datetime import timedelta

from gateway.cli.certify import arrivals, faulty, recalls, repeats, tls
from gateway.cli.certify.case import Case

_IDEMPOTENCY = "draft-ietf-httpapi-idempotency-key-header; FHIR R4, http.html, conditional create"
_ONCE = (
    "Keep Idempotency-Key with what was done under it, in the same transaction, under a unique"
    " constraint, for longer than five days; honour ifNoneExist of each entry too."
)
_RECALL = "FHIR R4, Task, with the code abort of http://hl7.org/fhir/CodeSystem/task-code"

CASES: tuple[Case, ...] = (
    Case(
        name="certificate",
        asks="a certificate that an authority of yours vouches for, for this host, in date",
        why="RFC 9110, section 4.3.4; RFC 9325",
        mend="Serve the whole chain up to the authority of --ca-file, for the host of the URL.",
        attempt=tls.certificate,
        needs=None,
        longest=timedelta(seconds=15),
    ),
    Case(
        name="old-tls",
        asks="no handshake under TLS 1.0 or 1.1",
        why="RFC 8996; RFC 9325, section 3.1.1",
        mend="Set TLS 1.2 as the lowest version of the server, or of the proxy before it.",
        attempt=tls.old_tls,
        needs="certificate",
        longest=timedelta(seconds=15),
    ),
    Case(
        name="no-redirect",
        asks="an answer from the address itself: no redirect",
        why="patient data goes to no address that nobody agreed on",
        mend="Answer at the URL itself; mind a slash at its end.",
        attempt=arrivals.follows_no_redirect,
        needs="certificate",
    ),
    Case(
        name="accepts",
        asks="a good referral is taken, with a 2xx",
        why="FHIR R4, http.html, section 3.1.0.11: transaction",
        mend="Take a transaction Bundle at this URL. If you check who is meant, name --provider and"
        " --service; if you ask for a client certificate, --client-certificate.",
        attempt=arrivals.accepts,
        needs="certificate",
    ),
    Case(
        name="says-what-it-did",
        asks="the body of a success says it of each part: transaction-response, or the BaRS message",
        why="FHIR R4, http.html, section 3.1.0.11.2; BaRS Core, bundle processing",
        mend="Answer 2xx only once every part is durable, and list every part; else 4xx or 5xx.",
        attempt=arrivals.says_what_it_did,
    ),
    Case(
        name="duplicate",
        asks="the same message again is a success, or 409 with the code duplicate; one copy",
        why=_IDEMPOTENCY,
        mend=_ONCE,
        attempt=repeats.repeated,
    ),
    Case(
        name="concurrent-duplicates",
        asks="the same message twice at once: neither is refused for good; one copy",
        why=_IDEMPOTENCY,
        mend=f"{_ONCE} Answer the second as the first, or 425 while that is under way.",
        attempt=repeats.repeated_at_once,
    ),
    Case(
        name="timeout-after-commit",
        asks="a message whose answer was lost, sent again: taken; one copy",
        why=_IDEMPOTENCY,
        mend=f"{_ONCE} Do not undo, forget or lock a key because its caller went away.",
        attempt=repeats.answer_lost,
    ),
    Case(
        name="replay",
        asks="a message of five days ago that comes again after others: taken; one copy",
        why=f"{_IDEMPOTENCY}; GATEWAY_RETRY_HORIZON",
        mend=_ONCE,
        attempt=repeats.replayed,
    ),
    Case(
        name="client-reset",
        asks="a message that was broken off half-way, sent again whole: taken; one copy",
        why="RFC 9112, section 8: an incomplete message is not processed",
        mend="Take up a key only once the whole body is there; free it where work on it ended.",
        attempt=repeats.broken_off,
    ),
    Case(
        name="out-of-order",
        asks="an older referral after a newer one is taken",
        why="retries and several lines keep no order",
        mend="Refuse nothing for its age: Bundle.timestamp says when it was made, not sent.",
        attempt=arrivals.takes_older_after_newer,
    ),
    Case(
        name="revoke",
        asks="a recall is taken of a referral that came: a Task abort, or a BaRS cancellation",
        why=_RECALL,
        mend="Take the Task, tell your people to stop, find the referral by groupIdentifier.",
        attempt=recalls.revoked,
    ),
    Case(
        name="revoke-again",
        asks="the same recall again is a success, or 409 with the code duplicate; one copy",
        why=_IDEMPOTENCY,
        mend=f"{_ONCE} A referral that is stopped already is a success.",
        attempt=recalls.revoked_again,
        needs="revoke",
    ),
    Case(
        name="revoke-unknown",
        asks="a recall of a referral that never came is taken",
        why="a recall also follows an attempt of which nobody knows whether it arrived",
        mend="Keep the Task and answer 2xx: there is nothing to stop, and that is good news.",
        attempt=recalls.revoked_unknown,
        needs="revoke",
    ),
    Case(
        name="revoke-first",
        asks="a referral that comes after its recall is taken or refused with a 4xx: no fault",
        why="a slow line may bring the first attempt last",
        mend="Look up whether the reference was aborted; keep the late referral stopped.",
        attempt=recalls.revoked_first,
        needs="revoke",
    ),
    Case(
        name="large",
        asks="a message of 5 MB, with one document in it, is taken",
        why="so much is taken at the gateway's own door",
        mend="Raise the limits of body and time at the server and at every proxy before it.",
        attempt=arrivals.takes_large,
    ),
    Case(
        name="unknown-extension",
        asks="extensions, identifiers, tags and codes that nobody there knows are no fault",
        why="FHIR R4, extensibility.html: ignore what is no modifier",
        mend="Ignore an extension that is not a modifierExtension, and keep it if you can.",
        attempt=arrivals.bears_unknowns,
    ),
    Case(
        name="wrong-media-type",
        asks="a message sent as text/plain is refused with a 4xx (415), and not kept",
        why="RFC 9110, section 15.5.16; FHIR R4, http.html, content types",
        mend="Read Content-Type before the body; refuse all but application/fhir+json.",
        attempt=faulty.wrong_media_type,
    ),
    Case(
        name="malformed-json",
        asks="half a message is refused with a 4xx and an OperationOutcome, not with a 5xx",
        why="FHIR R4, http.html, status codes; a 5xx is tried again for five days",
        mend="Catch the parser's error; answer 400 with an OperationOutcome.",
        attempt=faulty.malformed,
    ),
    Case(
        name="slow-sender",
        asks="no success before the last byte; taken once it is there, or the wait ended (408)",
        why="RFC 9110, sections 15.5.9 and 15.3.1",
        mend="Read the body to its Content-Length before you decide.",
        attempt=faulty.slow_sender,
    ),
    Case(
        name="answers-in-time",
        asks="every answer within 5 s; a warning where one in ten takes more than 2.1 s",
        why="BaRS, non-functional requirements",
        mend="Answer once the message is durable, and do the rest of the work afterwards.",
        attempt=arrivals.answers_in_time,
        longest=timedelta(minutes=2),
    ),
)
"""A case stands behind the one that it needs."""

BY_NAME = {case.name: case for case in CASES}
