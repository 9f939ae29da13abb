"""What a person puts upon a service by command: freeze, snooze, quarantine, and why."""

import pytest

from gp_pipelines_tests.e2e.patience import wait_until
from gp_pipelines_tests.e2e.project import Project, Said, TestedService

pytestmark = pytest.mark.xdist_group("e2e")

WRONG_USAGE = 2
WHY = ("--reason", "an incident")


@pytest.fixture(scope="module")
def live(project: Project) -> TestedService:
    """v2 is live, and v1 is warm."""
    service = project.free()
    service.go_bad()
    return service


def _must(said: Said) -> dict[str, object]:
    assert said.code == 0, said.err
    return said.object


def test_a_frozen_service_is_not_released_until_somebody_says_so(live: TestedService) -> None:
    done = _must(live.gp("freeze", *WHY))
    assert done == {"service": live.name, "done": "freeze", "reason": "an incident"}
    shown = live.shown
    assert "frozen" in shown["flags"]
    (remark,) = [each for each in shown["remarks"] if each.startswith("frozen by ")]
    assert remark.endswith(", no release may begin: an incident")
    refused = live.gp("release", "v1", "--allow-downgrade")
    assert (refused.code, refused.object["outcome"]) == (1, "refused")
    assert f"{live.name} is frozen by " in refused.object["error"]
    assert f"gp unfreeze {live.name} --reason" in refused.object["error"]
    _must(live.gp("unfreeze", "--reason", "it is over"))
    assert "frozen" not in live.shown["flags"]
    again = live.gp("unfreeze", *WHY)
    assert (again.code, again.object["error"]) == (1, f"{live.name} is not frozen.")


def test_a_snoozed_alert_launches_nothing_until_it_is_watched_again(live: TestedService) -> None:
    done = _must(live.gp("snooze", "--for", "30m", "--reason", "a load test"))
    assert done["done"] == "snooze"
    assert str(done["reason"]).endswith("UTC: a load test")
    shown = live.shown
    assert "snoozed" in shown["flags"]
    assert any("alerts are snoozed by " in remark for remark in shown["remarks"])
    live.alert(color="green", auto_rollback="true")
    wait_until(lambda: live.project.platforms.inbox.firing(live.name), seconds=5)
    _must(live.gp("watch"))
    assert "snoozed" not in live.shown["flags"]
    again = live.gp("watch")
    assert again.code == 1
    assert again.object["error"] == f"The alerts of {live.name} are not snoozed."
    assert live.live == "v2"
    wait_until(lambda: live.live == "v1", seconds=40)
    assert live.gp("quarantine", "v2", "--lift", *WHY).code == 0


@pytest.mark.parametrize("span", ["soon", "0s", "31d", "-5m"])
def test_a_span_that_is_none_is_wrong_usage(live: TestedService, span: str) -> None:
    said = live.gp("snooze", f"--for={span}", *WHY)
    assert said.code == WRONG_USAGE
    assert "is no span of time up to 30 days" in said.object["error"]


@pytest.mark.parametrize("command", ["freeze", "unfreeze", "snooze", "quarantine"])
def test_what_is_put_upon_a_service_has_a_reason(live: TestedService, command: str) -> None:
    version = ("v1",) if command == "quarantine" else ()
    said = live.gp(command, *version)
    assert said.code == WRONG_USAGE
    assert "--reason" in said.err


def test_a_version_in_quarantine_is_not_released_until_that_is_lifted(live: TestedService) -> None:
    _must(live.gp("quarantine", "v2", "--reason", "it leaks"))
    (found,) = live.shown["quarantines"]
    assert (found["version"], found["reason"]) == ("v2", "it leaks")
    refused = live.gp("release", "v2", "--redeploy")
    assert (refused.code, refused.object["outcome"]) == (1, "refused")
    assert "is in quarantine" in refused.object["error"]
    assert "it leaks" in refused.object["error"]
    _must(live.gp("quarantine", "v2", "--lift", "--reason", "it does not"))
    assert live.shown["quarantines"] == []
    again = live.gp("quarantine", "v2", "--lift", *WHY)
    assert again.code == 1
    assert again.object["error"] == f"v2 of {live.name} is not in quarantine."
    never = live.gp("quarantine", "v-never", *WHY)
    assert (never.code, "was never built" in never.object["error"]) == (1, True)


def test_all_of_it_is_in_the_history_with_who_and_why(live: TestedService) -> None:
    wanted = ["freeze", "unfreeze", "snooze", "watch", "quarantine", "lift"]

    def found() -> dict[str, str]:
        return {each["what"]: each.get("reason", "") for each in live.dagster.history(live.name)}

    wait_until(lambda: set(wanted) <= found().keys(), seconds=60, every=1)
    assert found()["unfreeze"] == "it is over"
    assert found()["quarantine"] == "v2: it leaks"
