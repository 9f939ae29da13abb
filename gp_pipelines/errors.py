"""What can go wrong, as a person should read it.

Every error says what happened to which object, what state things are in now, and what to do.
Engines and drivers raise these; ops turn them into Dagster failures, the command line into a
message and an exit code. No message carries a secret: what is quoted from outside goes through
`redact` first.
"""

import re

LONGEST_QUOTE = 200


class GpError(Exception):
    """An expected failure. `what` happened, `state` is what holds now, `advice` is what to do."""

    def __init__(self, what: str, *, state: str = "", advice: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.state = state
        self.advice = advice

    def __str__(self) -> str:
        return "\n".join(part for part in (self.what, self.state, self.advice) if part)


class ConfigInvalid(GpError):
    """services.yaml, or what was asked for, does not make sense. Nothing was changed."""


class Refused(GpError):
    """The request is understood and declined: a rule of safety speaks against it."""


class Busy(Refused):
    """A living run holds the fence of this service."""


class StepFailed(GpError):
    """A step of a release did not reach its goal."""


class TargetUnavailable(GpError):
    """The target cannot be read or written now; what it serves is not affected by that."""


class RecordLost(TargetUnavailable):
    """The object that holds the traffic record is gone, or holds nothing that was written there.

    It can be made again from its copy (`gp repair`, or the reconciler).
    """


class FenceLost(GpError):
    """Another run took the fence. The loser must change nothing more, not even to tidy up."""


class Conflict(GpError):
    """A compare-and-swap found another version than it compared with; nothing was written."""


def outcome_of(error: GpError) -> str:
    """How a run that ends with `error` ended: refused (a rule spoke against it), or failed."""
    return "refused" if isinstance(error, Refused | ConfigInvalid) else "failed"


# The scheme's length is bounded: without, a long line of letters would take quadratic time.
_URL_PASSWORD = re.compile(r"(?P<head>[a-zA-Z][a-zA-Z0-9+.-]{0,30}://[^\s:/@]*:)[^\s@]+(?=@)")
_ASSIGNED_PASSWORD = re.compile(r"(?i)\b(password|passwd|pwd|secret|token)(\s*[=:]\s*)\S+")


def quoted(text: str) -> str:
    """What somebody else said, as a message may repeat it: redacted, on one line, not too long,
    and without what a terminal would obey."""
    line = redact(" ".join(text.split()))
    shown = line if len(line) <= LONGEST_QUOTE else f"{line[:LONGEST_QUOTE]}…"
    return "".join(character for character in shown if character.isprintable())


def redact(text: str, secrets: tuple[str, ...] = ()) -> str:
    """`text` without the given secret values, passwords in URLs, and `password=…` assignments."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    text = _URL_PASSWORD.sub(r"\g<head>***", text)
    return _ASSIGNED_PASSWORD.sub(r"\1\2***", text)
