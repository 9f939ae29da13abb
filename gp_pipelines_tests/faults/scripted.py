"""The engine on a fake target: no threads of its own, no waiting, no HTTP."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

from gp_pipelines.errors import StepFailed
from gp_pipelines.model import Color
from gp_pipelines.services import Smoke
from gp_pipelines.smoke.checks import CheckResult
from gp_pipelines.targets.contract import Answer
from gp_pipelines_tests.faults.fake_target import FakeEntrance, World
from gp_pipelines_tests.faults.program import ScriptedHeart, this_program

_SMOKERS = (
    *("migrating.apply", "migrating.rehearsal"),
    *("release.engine", "release.promotion", "rollback.engine"),
)


@contextmanager
def scripted() -> Iterator[None]:
    """Hearts beat with the programs' clock, and smoke checks ask the world that they are in."""
    with ExitStack() as patches:
        patches.enter_context(patch("gp_pipelines.traffic.fence.Heart", ScriptedHeart))
        for module in _SMOKERS:
            patches.enter_context(patch(f"gp_pipelines.{module}.run_checks", _checks))
        yield


def _checks(
    base_url: str, smoke: Smoke, version: str, timeout: float, progress: Callable[[str], None]
) -> tuple[CheckResult, ...]:
    world = this_program().world
    if base_url.startswith("http://rehearsal/"):
        release_id, url = base_url.removeprefix("http://rehearsal/").split("?")
        if release_id in world.fails_on.get(url, ()):
            raise StepFailed(f"{version} failed its smoke checks.")
        return ()
    answer = _preview(world, base_url)
    if not answer.ok or answer.version != version or answer.release_id in world.fails_smoke:
        raise StepFailed(f"{version} failed its smoke checks.")
    return ()


def _preview(world: World, base_url: str) -> Answer:
    """Of a color; or of the live version, as users get it."""
    live = world.record.live
    if base_url == FakeEntrance.url:
        return world.answer(live.color if live else None)
    return world.answer(Color(base_url.rsplit("/", 1)[-1]), preview=True)
