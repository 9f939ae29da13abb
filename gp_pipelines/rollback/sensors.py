"""The sensor that launches rollbacks. A tick is one long look, because the daemon begins a new one
only every five seconds.

It changes nothing: a tick that is interrupted is evaluated again. Nobody is notified here; that
this sensor lives is watched from outside, by the webhook's process.
"""

import time
from collections.abc import Callable

import dagster as dg

from gp_pipelines import lineage
from gp_pipelines.rollback.launch import run_config, run_tags
from gp_pipelines.rollback.readings import Readings
from gp_pipelines.rollback.tick import Tick
from gp_pipelines.rollback.watch import Wanted
from gp_pipelines.wiring import Platforms

NAME = "rollback_on_alert"
# Dagster's daemon goes round every five seconds. A tick that ends just before it does leaves the
# shortest gap; it ends at once when there is something to launch.
ROUND_SECONDS = 5.0
ROUNDS = 4
MARGIN_SECONDS = 0.4
PAUSE_SECONDS = 0.05


def rollback_sensor(
    platforms: Platforms,
    job: dg.JobDefinition,
    *,
    tick_seconds: float = ROUNDS * ROUND_SECONDS - MARGIN_SECONDS,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> dg.SensorDefinition:
    """`tick_seconds` is for how long one tick goes on looking."""
    opened: list[Readings] = []  # by the first tick, in the process that evaluates them

    @dg.sensor(
        name=NAME,
        job=job,
        minimum_interval_seconds=1,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Reads all feeds of alerts again and again, and launches `rollback` for what "
        "is live where an alert says so and no guard speaks against it. Each tick says why not.",
    )
    def rollback_on_alert(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        if not opened:
            opened.append(Readings(platforms.feeds, platforms.services.names))
        tick = Tick(platforms, opened[0], context.cursor)
        deadline = clock() + tick_seconds
        while not tick.look(time.time()) and clock() < deadline:
            sleep(PAUSE_SECONDS)
        if tick.wanted:  # what fires at the same time elsewhere is not to wait for the next tick
            sleep(PAUSE_SECONDS)
            tick.look(time.time())
        for note in tick.notes:
            context.log.info(note)
        requests = [_request(wanted) for wanted in tick.wanted]
        notes = "; ".join(tick.notes) or "nothing fires"
        return dg.SensorResult(
            run_requests=requests,
            asset_events=[_told(dry) for dry in tick.dry],
            skip_reason=None if requests else dg.SkipReason(notes),
            cursor=tick.cursor,
        )

    return rollback_on_alert


def _request(wanted: Wanted) -> dg.RunRequest:
    """`run_key` only saves work: what a release comes to is decided on the target."""
    return dg.RunRequest(run_key=wanted.key, run_config=run_config(wanted), tags=run_tags(wanted))


def _told(wanted: Wanted) -> dg.AssetMaterialization:
    """Of a dry run: what would have been done."""
    return dg.AssetMaterialization(
        asset_key=lineage.live_asset(wanted.service),
        description=f"dry run: would have rolled back. {wanted.request.reason}",
        metadata={
            "what": "dry run of a rollback: nothing was changed",
            "reason": wanted.request.reason,
            "release": lineage.run_link(wanted.request.release_id),
        },
    )
