"""Cases about the line itself: who answers there, and under which TLS."""

import ssl
import warnings
from datetime import UTC, datetime, timedelta

from gateway.cli.certify.case import Finding, failed, not_shown, passed, warned
from gateway.cli.certify.trial import Trial
from gateway.outbound.https_line import Posting, posting_to

_SOON = timedelta(days=14)


def certificate(trial: Trial) -> Finding:
    """Shake hands as production does, and see whether the certificate proves who answers."""
    posting = _nothing(trial)
    try:
        with trial.raw.opened(posting, trial.deadline) as opened:
            shown, version = opened.line.getpeercert() or {}, opened.line.version()
    except ssl.SSLCertVerificationError as error:
        return failed(f"the certificate is not trusted: {error.verify_message}")
    except TimeoutError:
        return not_shown("no connection, or no TLS handshake, in time")
    except ssl.SSLError:
        return failed("no handshake under TLS 1.2 or later")
    except OSError:
        return not_shown("nothing answers there")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown.get("notAfter"))), UTC)
    seen = f"{version}, trusted until {ends.date()}"
    return warned(seen) if ends - datetime.now(UTC) < _SOON else passed(seen)


def old_tls(trial: Trial) -> Finding:
    """Offer TLS 1.0 and 1.1 alone, which nobody may accept any more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent; who answers is a case of its own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # that it is old is the point
            context.set_ciphers("ALL:@SECLEVEL=0")
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    except (ssl.SSLError, ValueError):
        return not_shown("TLS 1.1 cannot be offered from this machine")
    try:
        with trial.raw.opened(_nothing(trial), trial.deadline, context) as opened:
            return failed(f"it accepts {opened.line.version()}")
    except (ssl.SSLError, ConnectionError):
        return passed("it accepts neither TLS 1.0 nor 1.1")
    except TimeoutError:
        return passed("it lets a handshake under TLS 1.1 hang")
    except OSError:
        return not_shown("there was no connection")


def _nothing(trial: Trial) -> Posting:
    return posting_to(trial.endpoint, headers={}, body=None)
