"""A Django project of published applications: what its manage.py does, and its versions at work.

A version is the state before one migration of the plan, written `application.name`:

plan                 the whole plan, one migration a line
reach MIGRATION      apply all that comes before it in the plan, and leave a row in each table
migrate MIGRATION    as `manage.py migrate APPLICATION NAME`
work MIGRATION       insert, read, change and delete with the models as they are before it; say as
                     JSON which statements that took, and what of it failed

`reach` and `work` are no part of a migrate command: they stand for the version that is live.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command
from django.db import Error, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg.conninfo import conninfo_to_dict

from gp_pipelines_tests.databases.real_projects.made_up import row

Node = tuple[str, str]


def configure() -> None:
    url = conninfo_to_dict(os.environ["DATABASE_URL"])
    settings.configure(
        INSTALLED_APPS=[
            *("django.contrib.contenttypes", "django.contrib.auth", "django.contrib.admin"),
            *("django.contrib.sessions", "django.contrib.sites", "django.contrib.flatpages"),
            *("django.contrib.redirects", "oauth2_provider", "axes"),
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": url["dbname"],
                "USER": url["user"],
                "PASSWORD": url["password"],
                "HOST": url["host"],
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        SITE_ID=1,
        USE_TZ=True,
        SECRET_KEY="of a test",
    )
    django.setup()


def plan() -> list[Node]:
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes()
    return [(m.app_label, m.name) for m, _ in executor.migration_plan(leaves, clean_start=True)]


def before(migration: str) -> list[Node]:
    nodes = plan()
    return nodes[: nodes.index(node(migration))]


def node(migration: str) -> Node:
    application, name = migration.split(".", 1)
    return application, name


def models_before(migration: str) -> list[type[models.Model]]:
    loader = MigrationExecutor(connection).loader
    apps = loader.project_state(before(migration)).apps
    found = apps.get_models(include_auto_created=True)
    return [each for each in found if each._meta.managed and not each._meta.swapped]


def reach(migration: str) -> None:
    MigrationExecutor(connection).migrate(before(migration))
    for number, model in enumerate(models_before(migration)):
        if not model._base_manager.exists():
            row(model, 1000 + number)


def work(migration: str) -> None:
    statements: dict[str, None] = {}
    failed: dict[str, str] = {}
    for number, model in enumerate(models_before(migration)):
        for attempt in (_insert_read_change_delete, _insert_sparse, _insert_twice):
            try:
                with noted(statements), transaction.atomic():
                    attempt(model, 2000 + number)
                    transaction.set_rollback(True)
            except Error as error:
                failed[f"{attempt.__name__} {model._meta.db_table}"] = str(error)
    print(json.dumps({"statements": list(statements), "failed": failed}))


def _insert_read_change_delete(model: type[models.Model], number: int) -> None:
    made = row(model, number)
    assert made in list(model._base_manager.all())
    made.save(force_update=True)
    made.delete()


def _insert_sparse(model: type[models.Model], number: int) -> None:
    row(model, number, sparse=True)


def _insert_twice(model: type[models.Model], number: int) -> None:
    """The same, as often as the models themselves allow it."""
    row(model, number)
    row(model, number)


@contextmanager
def noted(statements: dict[str, None]) -> Iterator[None]:
    """What is sent within the block, as PostgreSQL numbers parameters."""

    def note(execute: Callable[..., Any], query: str, values: Any, many: bool, context: Any) -> Any:
        pieces = query.split("%s")
        numbered = [f"{piece}${number}" for number, piece in enumerate(pieces[:-1], 1)]
        statements["".join([*numbered, pieces[-1]]).replace("%%", "%")] = None
        return execute(query, values, many, context)

    with connection.execute_wrapper(note):
        yield


if __name__ == "__main__":
    configure()
    command, *names = sys.argv[1:]
    if command == "plan":
        print("\n".join(".".join(each) for each in plan()))
    elif command == "migrate":
        call_command("migrate", *node(names[0]), interactive=False)
    else:
        {"reach": reach, "work": work}[command](names[0])
