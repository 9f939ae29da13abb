"""squawk adds what the shadow has not shown, once, and never decides."""

from gp_pipelines.databases.compatibility import squawk
from gp_pipelines.databases.compatibility.finding import Severity
from gp_pipelines.databases.compatibility.replay import Executed


def rules(*statements: str, explained: tuple[str, ...] = (), in_transaction: bool = True):
    executed = tuple(Executed(each, "1.sql", in_transaction) for each in statements)
    return list(squawk.findings(executed, explained, 17))


def test_its_findings_are_notes_with_their_statement() -> None:
    found = rules("CREATE TABLE a (id int)", "-- why\nALTER TABLE b\nDROP COLUMN c")
    (dropped,) = [each for each in found if each.rule == "ban-drop-column"]
    assert dropped.severity is Severity.NOTE
    assert dropped.statement == "-- why\nALTER TABLE b\nDROP COLUMN c"


def test_what_is_known_of_a_statement_already_is_not_said_again() -> None:
    statement = "ALTER TABLE b DROP COLUMN c"
    found = rules(statement, explained=(statement,))
    assert "ban-drop-column" not in {each.rule for each in found}


def test_style_is_left_out() -> None:
    found = rules("CREATE TABLE a (id serial PRIMARY KEY, name varchar(10), c char(2))")
    assert found == []


def test_missing_timeouts_are_said_once() -> None:
    found = rules("ALTER TABLE a ADD COLUMN b int", "ALTER TABLE a ADD COLUMN c int")
    assert [each.rule for each in found].count("require-lock-timeout") == 1
    with_timeouts = ("SET lock_timeout = '1s'", "SET statement_timeout = '5s'")
    assert rules(*with_timeouts, "ALTER TABLE a ADD COLUMN b int") == []


def test_no_statements_are_no_findings() -> None:
    assert rules() == []
