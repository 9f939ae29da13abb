"""Who may send alerts: whoever has the token, or signs with the secret.

Alertmanager cannot sign. What is signed holds for a few minutes only, so that nobody who sees it
can send it later; the inbox takes each signature once.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from gp_pipelines.alerts.credentials import Credentials
from gp_pipelines.errors import Refused

WINDOW_SECONDS = 300  # to both sides: the sender's clock may be fast

_BEARER = re.compile(r"bearer +(?P<token>\S+) *", re.IGNORECASE)
_SIGNATURE = re.compile(r"sha256=(?P<hex>[0-9a-f]{64})", re.ASCII)
_TIMESTAMP = re.compile(r"[0-9]{1,12}", re.ASCII)


class Unproven(Refused):
    """Nobody whom we know sent this."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What the headers claim. It is true if the signature is."""

    timestamp: str
    signature: str


def claim(headers: Mapping[str, str], credentials: Credentials, now: float) -> Signed | None:
    """None if the token proves the sender; or what the body has to be compared with.

    `headers` are by names in lower case. Raises `Unproven`.
    """
    bearer = _BEARER.fullmatch(headers.get("authorization", ""))
    if bearer:
        if not hmac.compare_digest(bearer["token"].encode(), credentials.token.encode()):
            raise _unproven("The token is wrong.")
        return None
    timestamp = headers.get("x-gp-timestamp", "")
    signature = _SIGNATURE.fullmatch(headers.get("x-gp-signature", ""))
    if signature is None or not _TIMESTAMP.fullmatch(timestamp):
        raise _unproven("There is neither a token nor a signature with its timestamp.")
    if abs(now - int(timestamp)) > WINDOW_SECONDS:
        raise _unproven(
            f"X-GP-Timestamp is {int(timestamp)}, and it is {now:.0f} here: a signature holds for "
            f"{WINDOW_SECONDS} s."
        )
    return Signed(timestamp, signature["hex"])


def prove(claimed: Signed, body: bytes, credentials: Credentials) -> None:
    """Raises `Unproven` if the signature is not that of `body`."""
    if not hmac.compare_digest(claimed.signature, signature(body, claimed.timestamp, credentials)):
        raise _unproven("The signature is wrong.")


def signature(body: bytes, timestamp: str, credentials: Credentials) -> str:
    """In hexadecimal."""
    signed = timestamp.encode() + b"." + body
    return hmac.new(credentials.secret.encode(), signed, hashlib.sha256).hexdigest()


def _unproven(what: str) -> Unproven:
    return Unproven(
        what,
        state="Nothing was accepted.",
        advice="Send `Authorization: Bearer <token>`; or `X-GP-Timestamp: <seconds since 1970>` "
        "and `X-GP-Signature: sha256=<HMAC-SHA256 of timestamp.body with the secret, in hex>`.",
    )
