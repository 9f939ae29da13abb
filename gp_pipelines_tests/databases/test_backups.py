"""A backup is one once it has been restored and compared; of anything else nothing is left."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import quote

import psutil
import pytest

from gp_pipelines.databases.encoding import Encoding
from gp_pipelines.databases.postgres import PostgresDatabase
from gp_pipelines.databases.store import BackupStore
from gp_pipelines.errors import StepFailed, TargetUnavailable
from gp_pipelines.services import BackupRetention
from gp_pipelines_tests.databases.conftest import PASSWORD, Live
from gp_pipelines_tests.databases.killed_run import run_to_be_killed
from gp_pipelines_tests.databases.waiting import wait_until
from gp_pipelines_tests.databases.wrapped_tools import WrappedTools, files

MakeDatabase = Callable[..., PostgresDatabase]
RELEASE = "0f3c8a1e-1111-2222-3333-444455556666"

AWKWARD = (
    "CREATE EXTENSION hstore",
    'CREATE SCHEMA "Sea ""x"" Chart"',
    'CREATE TABLE "Sea ""x"" Chart"."x; DROP TABLE y --%s" ("ünï ""c""" text, b bytea)',
    """INSERT INTO "Sea ""x"" Chart"."x; DROP TABLE y --%s"
       VALUES (E'a\\nb\\t\\\\.\\r', '\\x00ff'), (NULL, NULL)""",
    f'CREATE TABLE "{"L" * 63}" (id bigint GENERATED ALWAYS AS IDENTITY, h hstore)',
    f"INSERT INTO \"{'L' * 63}\" (h) SELECT 'a=>1' FROM generate_series(1, 7)",
    "CREATE TYPE rank AS ENUM ('mate', 'captain, ''old''')",
    "CREATE DOMAIN doubloons AS numeric CHECK (VALUE >= 0)",
    "CREATE FUNCTION shout(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN upper($1)",
    """CREATE TABLE crew (id serial PRIMARY KEY, name text CHECK (lower(name) <> upper(name)),
       r rank[], pay doubloons, loud text GENERATED ALWAYS AS (shout(name)) STORED,
       seen tstzrange, j jsonb, UNIQUE (name))""",
    """INSERT INTO crew (name, r, pay, seen, j) VALUES ('Ähab', '{mate}', 1e30,
       '[2026-01-01,)', '{"a": [1, null]}'), ('éowyn', NULL, 'NaN', 'empty', 'null')""",
    "CREATE INDEX ON crew (lower(name))",
    "CREATE TABLE empty ()",
    "CREATE UNLOGGED TABLE fleeting AS SELECT 1 AS a",
    "CREATE TABLE log (at date, what text) PARTITION BY RANGE (at)",
    "CREATE TABLE log_25 PARTITION OF log FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "CREATE TABLE log_rest PARTITION OF log DEFAULT",
    "INSERT INTO log VALUES ('2025-05-05', 'a'), ('2026-05-05', 'b'), ('2027-05-05', 'c')",
    "CREATE TABLE parent (a int)",
    "CREATE TABLE child () INHERITS (parent)",
    "INSERT INTO child VALUES (1)",
    "CREATE VIEW captains AS SELECT name FROM crew WHERE 'mate' = ANY (r)",
    "CREATE MATERIALIZED VIEW payroll AS SELECT sum(pay) FROM crew",
    "INSERT INTO crew (name) VALUES ('after the refresh')",
    "CREATE SEQUENCE down INCREMENT -3 START -5",
    "SELECT nextval('down'), nextval('down')",
    "CREATE SEQUENCE unused",
    'CREATE SEQUENCE "Round; " MINVALUE 1 MAXVALUE 2 CYCLE',
    "CREATE SEQUENCE full_up MAXVALUE 9223372036854775807 START 9223372036854775807",
    "SELECT nextval('full_up')",
    'GRANT SELECT ON crew TO "Read-only ""people"""',
    "ALTER TABLE crew ENABLE ROW LEVEL SECURITY",
    'CREATE POLICY mates ON crew TO "Read-only ""people""" USING (pay > 0)',
    "SELECT lo_from_bytea(0, 'a large object')",
)


@pytest.fixture
def tools(tmp_path: Path) -> WrappedTools:
    return WrappedTools(tmp_path / "bin")


def ignore(_: str) -> None:
    pass


def test_a_backup_of_awkward_names_types_and_sequences(
    database: MakeDatabase, live: Live, home: Path
) -> None:
    live.run(*AWKWARD)
    said: list[str] = []
    backup = database().backup(RELEASE, said.append, 120)
    assert backup.verified
    assert backup.id.endswith("-0f3c8a1e")
    assert backup.rows == {
        '"Sea ""x"" Chart"."x; DROP TABLE y --%s"': 2,
        f'public."{"L" * 63}"': 7,
        "public.crew": 3,
        "public.empty": 0,
        "public.fleeting": 1,
        "public.log_25": 1,
        "public.log_rest": 2,
        "public.parent": 0,
        "public.child": 1,
    }
    assert files(home) == [backup.id]
    assert "restored into a scratch server; 9 tables with 17 rows and 5 sequences" in said[-1]


def test_a_backup_is_described_by_a_checksummed_manifest(
    database: MakeDatabase, crew: Live, home: Path
) -> None:
    backup = database().backup(RELEASE, ignore, 120)
    store = BackupStore(home, BackupRetention())
    assert store.list() == (backup,)
    manifest = json.loads((home / backup.id / "manifest.json").read_text())
    assert manifest["release_id"] == RELEASE
    assert manifest["sequences"] == {"public.crew_id_seq": 43}
    dumped = {f"dump/{file.name}" for file in (home / backup.id / "dump").iterdir()}
    assert set(manifest["files"]) == dumped
    assert sum(file["size"] for file in manifest["files"].values()) == backup.size
    assert PASSWORD not in (home / backup.id / "manifest.json").read_text()
    edited = json.dumps({**manifest, "rows": {"public.crew": 43}})
    (home / backup.id / "manifest.json").write_text(edited)
    assert store.list() == ()


def test_a_locale_that_this_machine_lacks(
    database: MakeDatabase, crew: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The restored copy gets PostgreSQL's own for UTF-8, by which lower() knows more than ASCII."""
    crew.run(
        "CREATE TABLE loud (name text CHECK (lower(name) <> name))",
        "INSERT INTO loud VALUES ('Ä')",
    )
    monkeypatch.setattr(
        "gp_pipelines.databases.backups.read_encoding",
        lambda session: Encoding("UTF8", "tlh_KX.UTF-8", "tlh_KX.UTF-8"),
    )
    assert database().backup(RELEASE, ignore, 120).rows["public.loud"] == 1


def test_only_the_owner_may_read_a_backup(database: MakeDatabase, crew: Live, home: Path) -> None:
    backup = database().backup(RELEASE, ignore, 120)
    assert (home / backup.id).stat().st_mode & 0o077 == 0


def test_rows_written_during_the_dump_are_no_difference(
    database: MakeDatabase, crew: Live, tools: WrappedTools
) -> None:
    insert = "psql -qc \"INSERT INTO crew (name) SELECT 'late' FROM generate_series(1, 5)\""
    tools.wrap("pg_dump", before=insert, after=insert)
    backup = database(bin=tools.find).backup(RELEASE, ignore, 120)
    assert backup.rows == {"public.crew": 42}
    assert crew.value("SELECT count(*) FROM crew") == 52


def test_a_large_database_is_dumped_and_restored_by_several_connections(
    database: MakeDatabase, crew: Live, tools: WrappedTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gp_pipelines.databases.pg_tools.SMALL_BYTES", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    tools.wrap("pg_dump")
    tools.wrap("pg_restore")
    assert database(bin=tools.find).backup(RELEASE, ignore, 120).verified
    assert "--jobs=3" in tools.calls("pg_dump")
    assert "--jobs=3" in tools.calls("pg_restore")


DAMAGE = {
    "a row is missing": (
        "import gzip,pathlib,sys\n"
        'f, = pathlib.Path(sys.argv[1]).glob("*.dat.gz")\n'
        'f.write_bytes(gzip.compress(gzip.decompress(f.read_bytes()).split(b"\\n", 1)[1]))',
        "public.crew has 41 rows instead of 42",
    ),
    "a file is cut short": (
        "import pathlib,sys\n"
        'f, = pathlib.Path(sys.argv[1]).glob("*.dat.gz")\n'
        "f.write_bytes(f.read_bytes()[:50])",
        "pg_restore failed",
    ),
    "a file is missing": (
        'import pathlib,sys\nf, = pathlib.Path(sys.argv[1]).glob("*.dat.gz")\nf.unlink()',
        "pg_restore failed",
    ),
    "the table of contents is not whole": (
        "import pathlib,sys\n"
        'f = pathlib.Path(sys.argv[1]) / "toc.dat"\n'
        "f.write_bytes(f.read_bytes()[:-400])",
        "pg_restore failed",
    ),
    "a sequence is set back": (
        "import pathlib,sys\n"
        'f = pathlib.Path(sys.argv[1]) / "toc.dat"\n'
        'f.write_bytes(f.read_bytes().replace(b", 42, true", b", 41, true"))',
        "public.crew_id_seq would give 42 next instead of 43",
    ),
    "a table has another name": (
        "import pathlib,sys\n"
        'f = pathlib.Path(sys.argv[1]) / "toc.dat"\n'
        'f.write_bytes(f.read_bytes().replace(b"crew", b"brew"))',
        "public.crew is missing",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_a_damaged_dump_is_not_verified_and_nothing_is_left(
    database: MakeDatabase, crew: Live, home: Path, tools: WrappedTools, what: str
) -> None:
    source, message = DAMAGE[what]
    tools.wrap("pg_dump", after=tools.run_python(source))
    with pytest.raises(StepFailed, match=message) as failed:
        database(bin=tools.find).backup(RELEASE, ignore, 120)
    assert "What was written is removed" in failed.value.state
    assert files(home) == []


def test_a_dump_that_fails_says_why_and_leaves_nothing(
    database: MakeDatabase, crew: Live, home: Path, tools: WrappedTools
) -> None:
    tools.wrap("pg_dump", after=f"echo 'stumbled over {PASSWORD}'; exit 9")
    with pytest.raises(StepFailed, match=r"pg_dump failed \(exit code 9\)") as failed:
        database(bin=tools.find).backup(RELEASE, ignore, 120)
    assert "stumbled over ***" in str(failed.value)
    assert PASSWORD not in str(failed.value)
    assert files(home) == []


def test_a_missing_tool_is_named(database: MakeDatabase, crew: Live, home: Path) -> None:
    with pytest.raises(StepFailed, match="pg_dump cannot be run"):
        database(bin=lambda name: Path("/nowhere") / name).backup(RELEASE, ignore, 120)
    assert files(home) == []


def on_path(monkeypatch: pytest.MonkeyPatch, tools: WrappedTools) -> None:
    """They are the user's own."""
    monkeypatch.setenv("PATH", str(tools.find("pg_dump").parent), prepend=":")


def test_a_server_newer_than_pg_dump_is_refused_before_anything_is_written(
    database: MakeDatabase,
    crew: Live,
    home: Path,
    tools: WrappedTools,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tools.wrap("pg_dump", version="14.9")
    on_path(monkeypatch, tools)
    with pytest.raises(StepFailed, match=r"is newer than our 14, .* on PATH is of version 14"):
        database(bin=tools.find).backup(RELEASE, ignore, 120)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(StepFailed, match="there is none on PATH"):
        database(bin=tools.find).backup(RELEASE, ignore, 120)
    assert files(home) == []


@pytest.mark.parametrize("encrypted", [False, True])
def test_the_users_own_tools_dump_what_ours_cannot(
    database: MakeDatabase,
    crew: Live,
    tools: WrappedTools,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    encrypted: bool,
) -> None:
    ours = WrappedTools(tmp_path / "ours")
    ours.wrap("pg_dump", version="18.0" if encrypted else "14.9", before="exit 1")
    for name in ("pg_dump", "pg_restore"):
        tools.wrap(name)
    on_path(monkeypatch, tools)
    monkeypatch.setattr("gp_pipelines.databases.pg_tools._is_encrypted", lambda _: encrypted)
    assert database(bin=ours.find).backup(RELEASE, ignore, 120).verified
    assert tools.calls("pg_dump")
    assert tools.calls("pg_restore")


def test_a_disk_without_room_is_seen_before_the_dump(
    database: MakeDatabase, crew: Live, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=200_000_000))
    said: list[str] = []
    with pytest.raises(StepFailed, match=r"too little room .*200\.0 MB are free") as failed:
        database().backup(RELEASE, said.append, 120)
    assert str(home) in failed.value.what
    assert "Make room" in failed.value.advice
    assert said == []
    assert files(home) == []


@pytest.fixture
def tiny_disk(home: Path) -> Iterator[Path]:
    home.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(home)]
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    if subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("this machine does not let root mount a file system")
    try:
        yield home
    finally:
        subprocess.run(["umount", str(home)], check=True)


def test_a_disk_that_fills_up_during_the_dump(
    database: MakeDatabase, live: Live, tiny_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.run("CREATE TABLE noise AS SELECT sha512(n::text::bytea) FROM generate_series(1, 60000) n")
    with pytest.raises(StepFailed, match="too little room"):
        database().backup(RELEASE, ignore, 120)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=10**12))
    with pytest.raises(StepFailed, match="No space left on device") as failed:
        database().backup(RELEASE, ignore, 120)
    assert "What was written is removed" in failed.value.state
    assert files(tiny_disk) == []


@pytest.mark.parametrize("tool", ["pg_dump", "pg_restore"])
def test_a_tool_that_hangs_is_ended_with_the_time_of_the_backup(
    database: MakeDatabase, crew: Live, home: Path, tools: WrappedTools, tool: str
) -> None:
    hang = f"echo $$ > {home.parent}/pid; exec sleep 600"
    tools.wrap(tool, before=hang)
    with pytest.raises(StepFailed, match=f"{tool} did not end in the time"):
        database(bin=tools.find).backup(RELEASE, ignore, 2)
    assert not psutil.pid_exists(int((home.parent / "pid").read_text()))
    assert files(home) == []


def test_an_interruption_leaves_nothing(
    database: MakeDatabase, crew: Live, home: Path, tools: WrappedTools
) -> None:
    tools.wrap("pg_dump", before=f"echo $$ > {home.parent}/pid; echo hello; exec sleep 600")

    def interrupt(said: str) -> None:
        if "hello" in said:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        database(bin=tools.find).backup(RELEASE, interrupt, 120)
    assert not psutil.pid_exists(int((home.parent / "pid").read_text()))
    assert files(home) == []
    assert sessions(crew) == 0


def sessions(live: Live) -> object:
    """Of the database, but for the one that asks."""
    return live.value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
    )


def test_counting_that_takes_too_long_is_ended(
    database: MakeDatabase, crew: Live, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gp_pipelines.databases.contents.REPORT_SECONDS", 0.1)
    crew.run(
        "CREATE TABLE slow (a int)",
        "INSERT INTO slow SELECT generate_series(1, 100)",
    )
    monkeypatch.setattr(
        "gp_pipelines.databases.contents._COUNT", "SELECT pg_sleep(600) FROM ONLY {}"
    )
    with pytest.raises(StepFailed, match=r"Counting the rows of .* took too long: 0 of 2 tables"):
        database().backup(RELEASE, ignore, 2)
    assert files(home) == []
    assert sessions(crew) == 0


def test_a_table_that_is_locked_for_long_is_a_clear_failure(
    database: MakeDatabase, crew: Live, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gp_pipelines.databases.pg_tools.LOCK_WAIT", "300ms")
    with crew.connect() as connection, connection.transaction():
        connection.execute("LOCK TABLE crew IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(StepFailed, match=r"LOCK TABLE public\.crew"):
            database().backup(RELEASE, ignore, 120)
    assert files(home) == []


def test_a_database_that_is_down(database: MakeDatabase, home: Path) -> None:
    with pytest.raises(TargetUnavailable, match=r"127\.0\.0\.1:1/missions"):
        database(url="postgresql://app:hidden@127.0.0.1:1/missions").backup(RELEASE, ignore, 120)


def test_the_password_is_in_no_argument_list(
    database: MakeDatabase, crew: Live, tools: WrappedTools
) -> None:
    # Each tool says something while it runs, and the processes are looked at then.
    tools.wrap("pg_dump", before="echo dump; sleep 1")
    tools.wrap("pg_restore", before="echo restore; sleep 1")
    seen: dict[str, str] = {}

    def look(said: str) -> None:
        for process in psutil.process_iter(["cmdline"]):
            seen[said] = seen.get(said, "") + " ".join(process.info["cmdline"] or ())

    database(bin=tools.find).backup(RELEASE, look, 120)
    assert "pg_dump" in seen["pg_dump: dump"]
    assert "pg_restore" in seen["pg_restore: restore"]
    for arguments in seen.values():
        assert PASSWORD not in arguments
        assert quote(PASSWORD, safe="") not in arguments


def test_a_sequence_that_was_set_back_during_the_dump_would_give_a_number_twice(
    database: MakeDatabase, crew: Live, tools: WrappedTools, home: Path
) -> None:
    tools.wrap("pg_dump", before="psql -qc \"SELECT setval('crew_id_seq', 5)\" > /dev/null")
    with pytest.raises(StepFailed, match="crew_id_seq would give 6 next, and its column holds 42"):
        database(bin=tools.find).backup(RELEASE, ignore, 120)
    assert files(home) == []


def test_an_extension_that_the_restored_dump_lacks_is_a_difference(
    database: MakeDatabase, crew: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = frozenset({"plpgsql", "citext"})
    monkeypatch.setattr("gp_pipelines.databases.backups.read_extensions", lambda session: both)
    with pytest.raises(StepFailed, match="the extension citext is missing"):
        database().backup(RELEASE, ignore, 120)


def test_a_sequence_behind_its_column_is_no_difference_where_it_was_so_before(
    database: MakeDatabase, crew: Live
) -> None:
    crew.run("INSERT INTO crew VALUES (1000, 'by hand')")
    assert database().backup(RELEASE, ignore, 120).verified


def test_what_a_killed_run_left_is_removed_by_the_next_backup(
    database: MakeDatabase,
    crew: Live,
    home: Path,
    tools: WrappedTools,
    tmp_path: Path,
) -> None:
    tools.wrap("pg_dump", before=f"echo $$ > {tmp_path}/pid; exec psql -c 'SELECT pg_sleep(600)'")
    arguments = {
        "step": "backup",
        "release_id": RELEASE,
        "url": crew.url,
        "artifact": str(tmp_path / "killed-artifact"),
        "home": str(home),
        "bin": str(tools.find("pg_dump").parent),
        "do": "apply",
    }

    def dumping() -> object:
        return crew.value(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND query LIKE 'SELECT pg_sleep(600)%'"
        )

    with run_to_be_killed(arguments, until=dumping):
        pass
    assert [name.endswith(".partial") for name in files(home)] == [True]
    assert dumping()
    backup = database().backup(RELEASE, ignore, 120)
    assert files(home) == [backup.id]
    assert not dumping()
    pid = int((tmp_path / "pid").read_text())
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == "zombie")
