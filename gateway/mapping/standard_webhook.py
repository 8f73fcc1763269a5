"""The signature of what is posted to a subscriber: Standard Webhooks 1.0.0, symmetric (v1).

What enters: the secret of one subscription, the name of the message, its time, its bytes. What
leaves: three headers. The name stays the same at every attempt, so that a receiver knows a
repeat; the time is the attempt's, so that it can refuse an old recording. Pure.
Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md.
"""

import base64
import hashlib
import hmac
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
"""What a secret begins with where it is shown."""


def shown_secret(secret: bytes) -> str:
    """Write a secret the way its receiver's library reads it."""
    return PREFIX + base64.b64encode(secret).decode("ascii")


def signed(secret: bytes, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Sign a message.

    Args:
        secret: 24 to 64 bytes.
        message_id: without a full stop, which parts what is signed.
        at: when this attempt is made.
        body: exactly as it leaves.

    Returns: the headers. The signature is HMAC-SHA-256 over id, seconds since 1970, and body.
    """
    if "." in message_id:
        msg = "the id of a message has no full stop"
        raise ValueError(msg)
    seconds = str(int(at.timestamp()))
    digest = hmac.new(secret, f"{message_id}.{seconds}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode('ascii')}",
    }
