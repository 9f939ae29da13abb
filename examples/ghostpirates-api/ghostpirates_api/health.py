"""Whether this process runs, and whether it has the database that it needs."""

import psycopg
from psycopg_pool import AsyncConnectionPool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ghostpirates_api._release import SCHEMA, VERSION
from ghostpirates_api.migration_files import TABLE

HEALTH_SECONDS = 2.0  # a probe gives up soon after


class Health:
    def __init__(self, pool: AsyncConnectionPool, release_id: str) -> None:
        self._pool = pool
        self._identity = {"version": VERSION, "release_id": release_id}

    async def process(self, request: Request) -> Response:
        """Never asks the database: when that is down, restarting this process does not help."""
        return JSONResponse({"status": "ok", **self._identity})

    async def database(self, request: Request) -> Response:
        """Ok also with a newer schema: the version before must stay usable beside its successor."""
        try:
            found = await self._schema()
        except psycopg.Error as error:
            return self._unavailable(f"The database does not answer ({type(error).__name__}).")
        if found < SCHEMA:
            return self._unavailable(f"The schema is at {found}; {VERSION} needs {SCHEMA}.")
        return JSONResponse({"status": "ok", "schema": found, **self._identity})

    async def _schema(self) -> int:
        """The number of the newest migration that was applied whole, 0 without any."""
        async with self._pool.connection(timeout=HEALTH_SECONDS) as connection:
            newest = f"SELECT coalesce(max(version), 0) FROM {TABLE} WHERE success"  # noqa: S608
            try:
                row = await (await connection.execute(newest)).fetchone()
            except psycopg.errors.UndefinedTable:
                return 0
        return row[0] if row else 0

    def _unavailable(self, reason: str) -> Response:
        return JSONResponse({"status": "unavailable", "reason": reason, **self._identity}, 503)
