"""Where routes, database and errors meet."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ghostpirates_api._release import FAULT
from ghostpirates_api.faults import FAULTS
from ghostpirates_api.health import Health
from ghostpirates_api.metrics import Metrics
from ghostpirates_api.missions import Missions
from ghostpirates_api.settings import Settings

MOST_CONNECTIONS = 4  # of each replica; two slots of several replicas share the server
POOL_SECONDS = 5.0  # how long a request waits for one

log = logging.getLogger("ghostpirates_api")


def application(settings: Settings, metrics: Metrics) -> Starlette:
    pool = AsyncConnectionPool(
        settings.database_url,
        min_size=1,
        max_size=MOST_CONNECTIONS,
        timeout=POOL_SECONDS,
        kwargs={"autocommit": True, "connect_timeout": 5, "application_name": "ghostpirates-api"},
        check=AsyncConnectionPool.check_connection,
        open=False,
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await pool.open(wait=False)  # it serves /health also while the database is down
        try:
            yield
        finally:
            await pool.close()

    health = Health(pool, settings.release_id)
    missions = Missions(pool)
    routes = [
        Route("/health", health.process),
        Route("/api/health", health.database),
        Route("/api/missions", missions.newest, methods=["GET"]),
        Route("/api/missions", missions.add, methods=["POST"]),
        Route("/api/missions/{id:int}", missions.one),
        Route("/metrics", metrics.show),
    ]
    return Starlette(
        routes=routes,
        middleware=[FAULTS[FAULT]] if FAULT else [],
        exception_handlers={
            HTTPException: _declined,
            psycopg.OperationalError: _database_unreachable,
            PoolTimeout: _database_unreachable,
            psycopg.Error: _query_refused,
            Exception: _failed,
        },
        lifespan=lifespan,
    )


async def _declined(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


async def _database_unreachable(request: Request, error: Exception) -> Response:
    log.warning("%s %s: %s", request.method, request.url.path, error)
    return JSONResponse({"error": "The database does not answer."}, 503)


async def _query_refused(request: Request, error: Exception) -> Response:
    """Answered here, and not as any other error: that would cost the client its connection."""
    log.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse({"error": "This is our mistake."}, 500)


async def _failed(request: Request, error: Exception) -> Response:
    """The traceback goes to the log only."""
    return JSONResponse({"error": "This is our mistake."}, 500)
