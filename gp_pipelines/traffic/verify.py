"""Whether users really reach what the record says is live, asked through the real entrance."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from gp_pipelines.model import Slot, TrafficRecord
from gp_pipelines.targets.contract import Answer, Target

FRESH = 10  # requests on new connections, a round
KEPT_ALIVE = 10  # on one connection that stays open
PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Verification:
    """What the entrance answered after a switch."""

    passed: bool
    first_ms: float | None  # from the start of verification to the first right answer
    seconds: float  # until a whole round was right
    asked: int
    failed: int  # our own requests that got no good answer
    detail: str  # the last thing that was wrong


def verify(
    target: Target,
    record: TrafficRecord,
    path: str,
    timeout: float,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Verification:
    """Ask until a whole round of fresh and kept-alive requests is answered by `record.live`.

    With nothing live the right answer is a 503 from the entrance itself. `path` is one that tells
    its version. Not passed within `timeout` seconds is not a pass.
    """
    start = clock()
    first: float | None = None
    asked = failed = 0
    detail = "the entrance has not taken the routes up"
    while True:
        if target.traffic.in_force(record):
            answers = target.entrance.ask(path, fresh=FRESH, kept_alive=KEPT_ALIVE)
            asked += len(answers)
            right = [answer for answer in answers if _is_right(answer, record.live)]
            failed += sum(_is_failure(answer, record.live) for answer in answers)
            if right and first is None:
                first = (clock() - start) * 1000
            if len(right) == len(answers):
                return Verification(True, first, clock() - start, asked, failed, "")
            detail = _what_is_wrong(answers, record.live)
        if clock() - start > timeout:
            return Verification(False, first, clock() - start, asked, failed, detail)
        sleep(PAUSE_SECONDS)


def _is_right(answer: Answer, live: Slot | None) -> bool:
    if live is None:
        return answer.status == 503 and answer.release_id is None
    if not answer.ok:
        return False
    if answer.release_id is not None:
        return answer.release_id == live.release_id
    return answer.version == live.version


def _is_failure(answer: Answer, live: Slot | None) -> bool:
    return not answer.ok and not (live is None and answer.status == 503)


def _what_is_wrong(answers: tuple[Answer, ...], live: Slot | None) -> str:
    wrong = [answer for answer in answers if not _is_right(answer, live)]
    one = wrong[0]
    got = one.detail or f"status {one.status}, version {one.version}, release {one.release_id}"
    return f"{len(wrong)} of {len(answers)} answers were wrong, for example: {got}"
