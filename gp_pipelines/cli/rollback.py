"""`gp rollback`: through Dagster, or with `--now` by the same engine straight on the target."""

import time

from gp_pipelines import history
from gp_pipelines.cli.output import give, say
from gp_pipelines.cli.project import Project
from gp_pipelines.errors import ConfigInvalid, GpError
from gp_pipelines.restore.unfinished import end_restore
from gp_pipelines.rollback import engine
from gp_pipelines.rollback.assessment import Already, Assessment
from gp_pipelines.rollback.attempt import RollbackAttempt
from gp_pipelines.rollback.request import RollbackRequest
from gp_pipelines.targets.contract import Ledger

END_SECONDS = 120.0  # to end a restore from which the fence was taken


def launch_rollback(
    project: Project, service: str, release: str, reason: str, *, wait: bool, as_json: bool
) -> None:
    """Names the release that is live now: should another one be when the run begins, it stays."""
    from gp_pipelines.cli.launch import launch

    target = project.platforms[service].target
    live = target.traffic.read().record.live
    wanted = _release_id(target.ledger, service, release) or (live.release_id if live else "")
    launch(
        project,
        "rollback",
        service,
        release_id=wanted,
        reason=reason,
        wait=wait,
        as_json=as_json,
    )


def roll_back_now(project: Project, service: str, release: str, reason: str, as_json: bool) -> None:
    """Nothing of Dagster is asked. The reconciler records it in the run history later."""
    began = time.monotonic()
    platform = project.platforms[service]
    holder = project.holder("rollback")
    request = RollbackRequest(
        _release_id(platform.target.ledger, service, release), reason, alert=None, now=True
    )
    attempt = RollbackAttempt(platform, request, holder.run_id, holder.actor, say)
    try:
        found = attempt.begin()
        done = None if isinstance(found, Already) else _do(attempt, found)
    except GpError as error:
        attempt.failed(error)
        raise
    finally:
        attempt.close()
        _tell_people(attempt)
    seconds = round(time.monotonic() - began, 3)
    result = {"service": service, "release_id": found.release_id, "seconds": seconds}
    if isinstance(found, Already) or done is None:
        assert isinstance(found, Already)
        give(
            {**result, "outcome": "already", "run_id": found.run_id, "why": found.why},
            as_json,
            f"Nothing to do. {found.why}",
        )
        return
    give(
        {
            **result,
            "outcome": "rolled_back",
            "run_id": holder.run_id,
            "before": done.before.version,
            "after": done.after.version,
            "way": found.way.value,
            "timeline": done.timeline(),
        },
        as_json,
        f"{service}: {done.before.describe()} → {done.after.describe()}, verified, "
        f"after {seconds:.1f} s.",
    )


def _do(attempt: RollbackAttempt, found: Assessment) -> engine.RolledBack:
    engine.restore_previous(attempt, found)
    done = engine.switch_back(attempt, found)
    engine.quarantine(attempt, found, done)
    with attempt.hold.step(END_SECONDS):
        for ended in end_restore(attempt.hold, attempt.platform, say):
            say(ended)
    engine.conclude(attempt, found, done)
    return done


def _tell_people(attempt: RollbackAttempt) -> None:
    """As a run of the job does: whoever is on call may not be who typed this."""
    from gp_pipelines.rollback.ending import endings_of
    from gp_pipelines.telling import tell_people

    tell_people(attempt.run_id, lambda url: endings_of(attempt, url), say)


def _release_id(ledger: Ledger, service: str, release: str) -> str:
    """`release` may be its number (3, #3) or its id; empty stays empty."""
    wanted = release.removeprefix("#")
    if not wanted:
        return ""
    for document in history.newest_first(ledger):
        if wanted in (str(document["number"]), document["release_id"]):
            return str(document["release_id"])
    raise ConfigInvalid(
        f"{service} has no release {release!r}.",
        state="Nothing was changed.",
        advice=f"`gp status {service}` lists the last ones.",
    )
