"""Missions: the routes that read and write them."""

import json
from typing import Any

from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ghostpirates_api.queries import QUERIES

LONGEST_TITLE = 200
LARGEST_ID = 2**63 - 1


class Missions:
    def __init__(self, pool: AsyncConnectionPool) -> None:
        self._pool = pool

    async def newest(self, request: Request) -> Response:
        crew = request.query_params.get("crew")
        if crew is not None and QUERIES.of_crew:
            return JSONResponse(await self._rows(QUERIES.of_crew, {"crew": crew}))
        return JSONResponse(await self._rows(QUERIES.newest, {}))

    async def add(self, request: Request) -> Response:
        rows = await self._rows(QUERIES.add, _mission(await request.body()))
        return JSONResponse(rows[0], 201)

    async def one(self, request: Request) -> Response:
        number = request.path_params["id"]
        rows = await self._rows(QUERIES.one, {"id": number}) if number <= LARGEST_ID else []
        if not rows:
            raise HTTPException(404, f"There is no mission {number}.")
        return JSONResponse(rows[0])

    async def _rows(self, query: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
        async with self._pool.connection() as connection:
            cursor = connection.cursor(row_factory=dict_row)
            await cursor.execute(query.encode(), parameters)
            return await cursor.fetchall()


def _mission(body: bytes) -> dict[str, str | None]:
    """Raises HTTPException 400 for anything that is no mission."""
    try:
        content = json.loads(body)
    except ValueError:
        raise HTTPException(400, "The body is not JSON.") from None
    title = content.get("title") if isinstance(content, dict) else None
    if not _is_text(title) or not title:
        raise HTTPException(400, f"title is a text of 1 to {LONGEST_TITLE} characters.")
    crew = content.get("crew")
    if crew is not None and not _is_text(crew):
        raise HTTPException(400, f"crew is a text of at most {LONGEST_TITLE} characters.")
    return {"title": title, "crew": crew}


def _is_text(value: object) -> bool:
    """One that PostgreSQL can hold: no NUL, and no half of a surrogate pair."""
    return (
        isinstance(value, str)
        and len(value) <= LONGEST_TITLE
        and "\0" not in value
        and not any("\ud800" <= character <= "\udfff" for character in value)
    )
