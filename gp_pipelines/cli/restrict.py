"""What a person puts upon a service, or takes from it: freeze, snooze, quarantine; each recorded.

Works when Dagster is down: it is on the target, and the reconciler brings it into the history.
"""

import re
from datetime import datetime, timedelta
from typing import Any

from gp_pipelines import restrictions
from gp_pipelines.cli.output import give
from gp_pipelines.cli.project import Project
from gp_pipelines.errors import ConfigInvalid, Refused
from gp_pipelines.platform import Platform
from gp_pipelines.restrictions import Quarantine
from gp_pipelines.services import check_version
from gp_pipelines.traffic import events

_SPAN = re.compile(r"(?P<count>\d{1,4})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
LONGEST = timedelta(days=30)


def freeze(project: Project, service: str, reason: str, as_json: bool) -> None:
    platform, by, now = _asked(project, service)
    restrictions.freeze(platform.target.ledger, by, reason, now)
    _done(project, platform, "freeze", reason, now, as_json)


def unfreeze(project: Project, service: str, reason: str, as_json: bool) -> None:
    platform, by, now = _asked(project, service)
    limit = platform.service.alerts.max_automatic_rollbacks
    record = platform.target.traffic.read().record
    if restrictions.frozen(platform.target.ledger, record, limit, now) is None:
        raise Refused(f"{service} is not frozen.", state="Nothing was changed.")
    restrictions.unfreeze(platform.target.ledger, by, reason, now)
    _done(project, platform, "unfreeze", reason, now, as_json)


def snooze(project: Project, service: str, span: str, reason: str, as_json: bool) -> None:
    """Raises `ConfigInvalid` for a span that is none, or too long to be remembered by people."""
    platform, by, now = _asked(project, service)
    until = now + _span(span)
    restrictions.snooze(platform.target.ledger, until, by, reason)
    said = f"until {until:%Y-%m-%d %H:%M} UTC: {reason}"
    _done(project, platform, "snooze", said, now, as_json, until=until.isoformat())


def watch(project: Project, service: str, as_json: bool) -> None:
    platform, _, now = _asked(project, service)
    if restrictions.snoozed(platform.target.ledger, now) is None:
        raise Refused(f"The alerts of {service} are not snoozed.", state="Nothing was changed.")
    restrictions.watch(platform.target.ledger)
    _done(project, platform, "watch", "the snooze was ended", now, as_json)


def quarantine(
    project: Project, service: str, version: str, lift: bool, reason: str, as_json: bool
) -> None:
    """Of `version` as it is stored and configured now; `lift` ends all of that version."""
    platform, by, now = _asked(project, service)
    ledger = platform.target.ledger
    if lift:
        found = [each for each in restrictions.quarantines(ledger) if each.version == version]
        if not found:
            raise Refused(
                f"{version} of {service} is not in quarantine.", state="Nothing was changed."
            )
        for each in found:
            restrictions.lift(ledger, each)
        _done(project, platform, "lift", f"{version}: {reason}", now, as_json, version=version)
        return
    artifact = platform.artifacts.stored(check_version(version))
    if artifact is None:
        raise Refused(
            f"{version} of {service} was never built: there is nothing to put into quarantine.",
            state="Nothing was changed.",
        )
    config_hash = platform.service.config_hash
    restrictions.quarantine(
        ledger, Quarantine(version, artifact.digest, config_hash, by, reason, now)
    )
    _done(project, platform, "quarantine", f"{version}: {reason}", now, as_json, version=version)


def _asked(project: Project, service: str) -> tuple[Platform, str, datetime]:
    """The service, who asks, and the target's time."""
    platform = project.platforms[service]
    return platform, project.holder("").actor, platform.target.traffic.read().now


def _done(
    project: Project,
    platform: Platform,
    what: str,
    reason: str,
    now: datetime,
    as_json: bool,
    **more: Any,
) -> None:
    """Leave it for the history, and say it."""
    live = events.describe(platform.target.traffic.read().record.live)
    holder = project.holder(what)
    event = events.Event(
        key=events.key(what, now, holder.run_id.removeprefix("cli-")),
        what=what,
        at=now,
        before=live,
        after=live,
        release_id="",
        holder=holder,
        reason=reason,
    )
    events.write(platform.target.ledger, event)
    service = platform.service.name
    give(
        {"service": service, "done": what, "reason": reason, **more},
        as_json,
        f"{service}: {what}, {reason}",
    )


def _span(text: str) -> timedelta:
    match = _SPAN.fullmatch(text)
    span = timedelta(**{_UNITS[match["unit"]]: int(match["count"])}) if match else timedelta()
    if not timedelta() < span <= LONGEST:
        raise ConfigInvalid(
            f"{text!r} is no span of time up to {LONGEST.days} days.",
            state="Nothing was changed.",
            advice="A number with s, m, h or d: 90s, 30m, 2h, 1d.",
        )
    return span
