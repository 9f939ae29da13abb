from collections.abc import Iterator

import pytest

from gp_pipelines_tests.faults.story import Story, telling


@pytest.fixture
def story() -> Iterator[Story]:
    with telling() as story:
        yield story
