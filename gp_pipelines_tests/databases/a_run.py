"""A run of its own, to be killed: one step on the database, as its arguments say."""

import json
import sys
from contextlib import nullcontext
from pathlib import Path

from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines_tests.databases.conftest import service
from gp_pipelines_tests.databases.migrations import ARTIFACT, Migrations


def main(step: str, release_id: str, url: str, artifact: str, home: str, bin: str, do: str) -> None:
    database = PostgresDatabase(
        service(do),
        Migrations(Path(artifact)),
        url=lambda: url,
        secrets=dict,
        directory=Path(home),
        bin=lambda name: Path(bin) / name,
        scratch=lambda: nullcontext("unreachable"),
        shadow=lambda: nullcontext("unreachable"),
    )
    if step == "backup":
        database.backup(release_id, print, 600)
    else:
        database.migrate(ARTIFACT, release_id, print, 600)


if __name__ == "__main__":
    main(**json.load(sys.stdin))
