"""What is pending: from files and the rows of the table."""

import hashlib

import pytest

from gp_pipelines.databases.sqlx import Applied, migration_files, pending
from gp_pipelines.errors import Refused


def applied(number: int, content: bytes = b"", success: bool = True) -> dict[int, Applied]:
    row = Applied(number, "add crew", success, hashlib.sha384(content).digest())
    return {number: row}


def test_migrations_are_sorted_by_number_not_by_name() -> None:
    files = migration_files({"10_c.sql": b"", "9_b.sql": b"", "0001_a.sql": b""})
    assert [file.name for file in files] == ["0001_a", "9_b", "10_c"]


def test_other_files_and_the_way_back_are_no_migrations() -> None:
    directory = {"1_a.up.sql": b"", "1_a.down.sql": b"", "README.md": b"", "__init__.py": b""}
    assert [file.name for file in migration_files(directory)] == ["1_a"]


@pytest.mark.parametrize("name", ["add_crew.sql", "_crew.sql", "1a_crew.sql", "-1_crew.sql"])
def test_a_migration_without_its_number_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="does not start with its number"):
        migration_files({name: b""})


def test_a_number_that_the_table_cannot_hold_is_refused() -> None:
    assert migration_files({f"{2**63 - 1}_a.sql": b""})
    with pytest.raises(Refused):
        migration_files({f"{2**63}_a.sql": b""})


@pytest.mark.parametrize("other", ["2_b.sql", "002_a.sql", "2_a.up.sql"])
def test_two_files_with_one_number_are_refused(other: str) -> None:
    with pytest.raises(Refused, match="have the same number") as refused:
        migration_files({"2_a.sql": b"", other: b""})
    assert "2_a.sql" in refused.value.what
    assert other in refused.value.what


def test_everything_is_pending_on_an_empty_table() -> None:
    found = pending(migration_files({"1_a.sql": b"", "2_b.sql": b""}), {})
    assert found.versions == ("1_a", "2_b")
    assert found.unknown == ()
    assert found.out_of_order == ()


def test_nothing_is_pending_when_all_is_applied() -> None:
    assert not pending(migration_files({"1_a.sql": b"x"}), applied(1, b"x"))


def test_an_older_version_runs_none_of_those_that_it_does_not_know() -> None:
    found = pending(migration_files({"1_a.sql": b"x"}), applied(1, b"x") | applied(2) | applied(30))
    assert not found
    assert found.unknown == (2, 30)


def test_a_pending_one_older_than_the_newest_applied_is_out_of_order() -> None:
    found = pending(migration_files({"1_a.sql": b"", "2_b.sql": b"", "4_d.sql": b""}), applied(2))
    assert found.versions == ("1_a", "4_d")
    assert found.out_of_order == ("1_a",)


def test_an_unfinished_migration_is_refused_by_name_also_if_this_version_does_not_know_it() -> None:
    with pytest.raises(Refused, match="7_add_crew was begun and not finished") as refused:
        pending((), applied(7, success=False))
    assert "success = true for version 7" in refused.value.advice


def test_a_file_that_was_changed_after_it_was_applied_is_refused_by_name() -> None:
    files = migration_files({"1_a.sql": b"CREATE TABLE a ();\r\n"})
    with pytest.raises(Refused, match=r"1_a\.sql was changed") as refused:
        pending(files, applied(1, b"CREATE TABLE a ();\n"))
    assert "line ends" in refused.value.advice
