"""Where statements end, in what people really write into migrations."""

import pytest

from gp_pipelines.databases.compatibility.statements import bare, split


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO t VALUES ('a;b', 'it''s; fine')",
        r"SELECT E'a\';b', 1",
        'SELECT "odd;name" FROM "t""x;"',
        "DO $$ BEGIN PERFORM 1; PERFORM 2; END $$",
        "CREATE FUNCTION f() RETURNS text AS $body$ SELECT '$$;'; $body$ LANGUAGE sql",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM a; DELETE FROM b)",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END",
        "SELECT 1 /* ; /* nested; */ ; */ + 1",
        "SELECT 1 -- ; not here\n + 1",
        "UPDATE t SET a = $1, b = $2 WHERE id = $3",
        "BEGIN",
    ],
)
def test_a_semicolon_within_a_statement_does_not_end_it(statement: str) -> None:
    assert split(f"{statement};\nSELECT 2;") == (statement, "SELECT 2")


def test_the_last_statement_needs_no_semicolon() -> None:
    assert split("SELECT 1; SELECT 2") == ("SELECT 1", "SELECT 2")


def test_comments_alone_are_no_statement() -> None:
    assert split("-- first\n; /* nothing */ ;\n-- last") == ()


def test_a_transaction_in_a_file_is_statements_of_its_own() -> None:
    assert split("BEGIN; SELECT 1; END;") == ("BEGIN", "SELECT 1", "END")


def test_a_bare_statement_has_no_comments_but_keeps_what_looks_like_one() -> None:
    assert bare("-- why\nSELECT '--x', /* a /* b */ c */ 1\n  + 1") == "SELECT '--x', 1 + 1"
