"""docs/alerts.md: what it gives to be copied works."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gp_pipelines.alerts.inbox import Inbox
from gp_pipelines.alerts.webhook import create_app
from gp_pipelines_tests.alerts.monitoring import MISSING
from gp_pipelines_tests.alerts.running_webhook import CREDENTIALS, Client, running

PAGE = (Path(__file__).parents[2] / "docs" / "alerts.md").read_text()
SHELL = re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL)
RULES, ROUTES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(f"sqlite:///{tmp_path / 'alerts.sqlite'}")


@pytest.fixture
def webhook(inbox: Inbox) -> Iterator[Client]:
    with running(create_app(inbox, CREDENTIALS, ["my-api"], lambda alerts: None)) as client:
        yield client


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("commands", SHELL, ids=["with the token", "signed"])
def test_an_alert_is_sent_by_the_commands_on_the_page(
    commands: str, webhook: Client, inbox: Inbox, tmp_path: Path
) -> None:
    directory = tmp_path / "var" / "webhook"
    directory.mkdir(parents=True)
    (directory / "token").write_text(f"{CREDENTIALS.token}\n")
    (directory / "secret").write_text(f"{CREDENTIALS.secret}\n")
    here = commands.replace("127.0.0.1:20123", f"127.0.0.1:{webhook.port}")
    done = subprocess.run(
        ["bash", "-euc", here], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == {"accepted": 1}
    (found,) = inbox.firing("my-api")
    assert found.name == "NobodyCanPay"


@pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")
@pytest.mark.parametrize(
    ("check", "content"),
    [(("promtool", "check", "rules"), RULES), (("amtool", "check-config"), ROUTES)],
)
def test_what_prometheus_and_alertmanager_are_told_on_the_page_is_valid(
    check: tuple[str, ...], content: str, tmp_path: Path
) -> None:
    file = tmp_path / "file.yml"
    file.write_text(content)
    subprocess.run([*check, file], check=True)
