"""What launches the jobs of cleanup: a schedule where a deadline has passed, and a sensor.

Neither changes anything: a tick that is interrupted is evaluated again.
"""

import json
import time
from dataclasses import asdict

import dagster as dg

from gp_pipelines import tags
from gp_pipelines.cleanup.contraction import is_due
from gp_pipelines.cleanup.engine import due
from gp_pipelines.cleanup.watch import Seen, look
from gp_pipelines.errors import GpError
from gp_pipelines.wiring import Platforms

# Below the 5 s in which Dagster's sensor daemon goes round: with just 5, every other round is too
# early by a moment, and left out.
EVERY_SECONDS = 4


def cleanup_schedule(platforms: Platforms, job: dg.JobDefinition) -> dg.ScheduleDefinition:
    @dg.schedule(
        name="cleanup_when_due",
        job=job,
        cron_schedule="* * * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Every minute: launches `cleanup` for each service with a slot that is due, "
        "or with a contract phase that is.",
    )
    def cleanup_when_due(
        context: dg.ScheduleEvaluationContext,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        requests, notes = [], []
        for name in platforms.services.names:
            try:
                platform = platforms[name]
                reading = platform.target.traffic.read()
                wanted = due(reading.record, reading.now) or is_due(platform, reading.record)
            except GpError as error:
                notes.append(f"{name} cannot be read: {error.what}")
                continue
            if not wanted:
                notes.append(f"{name}: nothing is due")
                continue
            requests.append(
                dg.RunRequest(
                    run_key=f"{name}:{reading.record.revision}:{context.scheduled_execution_time}",
                    run_config={"service": name},
                    tags={tags.SERVICE: name, tags.TRIGGER: "schedule"},
                )
            )
        return requests or dg.SkipReason("; ".join(notes))

    return cleanup_when_due


def reconcile_sensor(platforms: Platforms, job: dg.JobDefinition) -> dg.SensorDefinition:
    @dg.sensor(
        name="reconcile_what_is_left",
        job=job,
        minimum_interval_seconds=EVERY_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Launches `reconcile` where a dead run has left something unfinished, or "
        "something happened to the traffic outside of Dagster.",
    )
    def reconcile_what_is_left(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        cursor = json.loads(context.cursor or "{}")
        requests, notes = [], []
        for name in platforms.services.names:
            try:
                found = look(platforms[name], Seen(**cursor.get(name, {})), time.time())
            except GpError as error:
                notes.append(f"{name} cannot be read: {error.what}")
                continue
            cursor[name] = asdict(found.seen)
            if found.needed:
                context.log.info(f"{name}: {'; '.join(found.needed)}")
                requests.append(
                    dg.RunRequest(
                        run_key=f"{name}:{found.seen.fence}:{found.seen.launched:.0f}",
                        run_config={"service": name},
                        tags={tags.SERVICE: name, tags.TRIGGER: "sensor"},
                    )
                )
            else:
                notes.append(f"{name}: {found.why_not}")
        return dg.SensorResult(
            run_requests=requests,
            skip_reason=None if requests else dg.SkipReason("; ".join(notes)),
            cursor=json.dumps(cursor),
        )

    return reconcile_what_is_left
