"""One target after the other stands for the contract. Another one is another parameter."""

from collections.abc import Iterator

import pytest

from gp_pipelines_tests.contract.subject import Subject
from gp_pipelines_tests.targets.local.live_stack import LiveStack


@pytest.fixture(scope="session")
def local_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveStack]:
    with LiveStack(tmp_path_factory.mktemp("local")) as stack:
        yield stack


@pytest.fixture(params=["local"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    stack: LiveStack = request.getfixturevalue(f"{request.param}_stack")
    with stack.new_service() as subject:
        yield subject


@pytest.fixture
def another(local_stack: LiveStack) -> Iterator[Subject]:
    """A second service beside `subject`'s."""
    with local_stack.new_service() as subject:
        yield subject
