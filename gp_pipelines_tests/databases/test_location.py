"""The same URL with another database's name: whatever its form, a driver has to understand it."""

import psycopg
import pytest
from psycopg import conninfo

from gp_pipelines.databases.location import url_at

PLAIN = "postgresql://me:p%40ss%2Fw%3F@db.internal:5433/api"


@pytest.mark.parametrize(
    ("url", "there"),
    [
        (PLAIN, "postgresql://me:p%40ss%2Fw%3F@db.internal:5433/new"),
        (f"{PLAIN}?sslmode=require", f"{PLAIN.removesuffix('api')}new?sslmode=require"),
        ("postgres://me@/api?host=%2Frun%2Fpg", "postgres://me@/new?host=%2Frun%2Fpg"),
        ("postgresql://db.internal", "postgresql://db.internal/new"),
        ("postgresql://me@a:1,b:2/api", "postgresql://me@a:1,b:2/new"),
    ],
)
def test_only_the_name_changes(url: str, there: str) -> None:
    assert url_at(url, "new") == there


@pytest.mark.parametrize("url", [PLAIN, "host=db.internal dbname=api password='p ss'"])
def test_libpq_finds_any_name_in_it(url: str) -> None:
    before = conninfo.conninfo_to_dict(url)
    after = conninfo.conninfo_to_dict(url_at(url, 'the "new/one" %?'))
    assert after == {**before, "dbname": 'the "new/one" %?'}


def test_what_is_no_url_stays_none() -> None:
    with pytest.raises(psycopg.ProgrammingError):
        url_at("nothing at all", "new")
