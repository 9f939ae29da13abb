"""A release as a plain script: `python -m gp_pipelines_tests.bench.plain_release SERVICE VERSION`.

The same steps on the same target as the job `release`, without Dagster: what is left to compare is
what Dagster costs.
"""

import getpass
import sys
import uuid

from gp_pipelines.cleanup.reconcile import reconcile
from gp_pipelines.release import engine
from gp_pipelines.release.attempt import Attempt, RunIdentity
from gp_pipelines.release.planning import ReleaseRequest, plan
from gp_pipelines.wiring import Platforms


def main(service: str, version: str) -> None:
    run_id = str(uuid.uuid4())
    run = RunIdentity(run_id, run_id, "release", getpass.getuser())
    attempt = Attempt(Platforms.load()[service], run, reconcile, print)
    try:
        decided = plan(attempt, ReleaseRequest(version, allow_downgrade=True))
        artifact = engine.build(attempt, decided)
        engine.backup(attempt, decided, artifact)
        engine.migrate(attempt, decided, artifact)
        engine.deploy_inactive(attempt, decided, artifact)
        engine.smoke(attempt, decided, artifact)
        engine.switch(attempt, decided, artifact)
        engine.schedule_cleanup(attempt, decided)
    finally:
        attempt.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
