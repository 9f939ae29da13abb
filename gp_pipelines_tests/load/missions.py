"""What is asked of the sample service, and what a right answer is.

Reads and writes alternate, and what was written is read again by its id, through whichever
version is live by then: a release that loses a row is caught like one that loses an answer.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gp_pipelines_tests.load.wire import Answer, Request

READ_AGAIN = 100  # the newest missions written that are asked for by id
LONGEST_QUOTE = 120


@dataclass(frozen=True, slots=True)
class Question:
    request: Request
    status: int  # of a right answer
    is_right: Callable[[Any], bool]  # whether this is a right answer's JSON

    def problem(self, answer: Answer) -> str:
        """What is wrong with a whole answer, in words; empty if nothing is."""
        quote = answer.body[:LONGEST_QUOTE].decode(errors="replace")
        if answer.status != self.status:
            return f"status {answer.status}, expected {self.status}: {quote}"
        try:
            content = json.loads(answer.body)
        except ValueError:
            return f"not JSON: {quote}"
        return "" if self.is_right(content) else f"wrong body: {quote}"


class Missions:
    def __init__(self) -> None:
        self._written: deque[tuple[Any, str]] = deque(maxlen=READ_AGAIN)

    def question(self, turn: int) -> Question:
        """Health, list, write and read one, in turn."""
        match turn % 4:
            case 0:
                return Question(Request("GET", "/health", "GET /health"), 200, _tells_version)
            case 2:
                return self._write(f"load {turn}")
            case 3 if self._written:
                self._written.rotate(1)
                return self._read_again(*self._written[0])
        return Question(Request("GET", "/api/missions", "GET /api/missions"), 200, _are_missions)

    def _write(self, title: str) -> Question:
        def is_right(content: Any) -> bool:
            if not _is_mission(content) or content["title"] != title:
                return False
            self._written.append((content["id"], title))
            return True

        body = json.dumps({"title": title}).encode()
        return Question(Request("POST", "/api/missions", "POST /api/missions", body), 201, is_right)

    def _read_again(self, mission: Any, title: str) -> Question:
        def is_right(content: Any) -> bool:
            return _is_mission(content) and (content["id"], content["title"]) == (mission, title)

        request = Request("GET", f"/api/missions/{mission}", "GET /api/missions/{id}")
        return Question(request, 200, is_right)


def version_of(answer: Answer) -> str | None:
    """Who answered: the header x-version, or else the field `version` of the JSON."""
    if told := answer.header(b"x-version"):
        return told
    try:
        content = json.loads(answer.body)
    except ValueError:
        return None
    version = content.get("version") if isinstance(content, dict) else None
    return version if isinstance(version, str) else None


def _tells_version(content: Any) -> bool:
    return isinstance(content, dict) and isinstance(content.get("version"), str)


def _is_mission(content: Any) -> bool:
    return isinstance(content, dict) and {"id", "title"} <= content.keys()


def _are_missions(content: Any) -> bool:
    return isinstance(content, list) and all(_is_mission(item) for item in content)
