from collections.abc import Iterator

import pytest

from gp_pipelines_tests.cli.scripted_webserver import Webserver


@pytest.fixture
def webserver() -> Iterator[Webserver]:
    running = Webserver()
    yield running
    running.server.shutdown()
    running.server.server_close()
