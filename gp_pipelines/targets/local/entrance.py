"""The addresses of one service at Envoy: users' entrance, and each color's preview."""

import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from gp_pipelines.errors import TargetUnavailable, quoted
from gp_pipelines.model import Color
from gp_pipelines.services import Service
from gp_pipelines.targets.contract import Answer, RequestCounts
from gp_pipelines.targets.local.envoy import entrance_port, preview_port
from gp_pipelines.targets.local.envoy_admin import EnvoyAdmin
from gp_pipelines.targets.local.envoy_routing import RELEASE_HEADER, stat_name
from gp_pipelines.targets.local.home import Home
from gp_pipelines.targets.local.plain_http import loopback_client

ANSWER_SECONDS = 5.0
MOST_AT_ONCE = 16

# How Envoy itself fails a request. Each request is in one of them, and no answer of a replica is,
# whatever its status. (upstream_rq_5xx and downstream_rq_5xx count the replicas' answers as well.)
# They are counted for a color, so those that came through its preview are among them.
FAILED_BY_ENVOY = (
    "upstream_cx_none_healthy",  # no replica could take it
    "upstream_rq_retry_limit_exceeded",  # no connection to any replica that was tried
    "upstream_cx_destroy_remote_with_active_rq",  # the replica closed before its answer was whole
    "upstream_rq_pending_overflow",  # more at once than the cluster may have
    "upstream_rq_timeout",
)
# Before a color was chosen.
REFUSED_BY_ENVOY = ("no_route", "no_cluster", "downstream_rq_overload_close")


# Final answers: those of replicas, and those that Envoy gives in their place. A try that was
# followed by another one is counted elsewhere (`retry.…`).
ANSWERED = "upstream_rq_completed"
FAILED = "upstream_rq_5xx"


class LocalEntrance:
    """Implements `contract.Entrance` for one service of one home."""

    def __init__(self, home: Home, service: Service) -> None:
        self._home = home
        self._service = service
        self._admin = EnvoyAdmin(home)

    @property
    def port(self) -> int:
        return entrance_port(self._home, self._service)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def preview_url(self, color: Color) -> str:
        return f"http://127.0.0.1:{preview_port(self._home, self._service.name, color)}"

    def ask(
        self, path: str, *, fresh: int, kept_alive: int, preview: Color | None = None
    ) -> tuple[Answer, ...]:
        """Takes about `ANSWER_SECONDS` at most, however many requests there are."""
        url = (self.preview_url(preview) if preview else self.url) + path
        deadline = time.monotonic() + ANSWER_SECONDS
        with (
            ThreadPoolExecutor(min(fresh, MOST_AT_ONCE) + 1) as pool,
            loopback_client(ANSWER_SECONDS, keep_alive=False) as new_connections,
            loopback_client(ANSWER_SECONDS, keep_alive=True) as one_connection,
        ):

            def one_after_the_other() -> list[Answer]:
                return [self._ask(one_connection, url, deadline) for _ in range(kept_alive)]

            on_one = pool.submit(one_after_the_other)
            on_new = pool.map(lambda _: self._ask(new_connections, url, deadline), range(fresh))
            return (*on_new, *on_one.result())

    def lost(self) -> int | None:
        service = self._service.name
        colors = "|".join(re.escape(stat_name(service, color)) for color in Color)
        failed = rf"cluster\.({colors})\.({'|'.join(FAILED_BY_ENVOY)})"
        refused = rf"http\.{re.escape(service)}\.({'|'.join(REFUSED_BY_ENVOY)})"
        try:
            return sum(self._admin.counters(f"^({failed}|{refused})$").values())
        except TargetUnavailable:
            return None

    def counts(self) -> Mapping[Color, RequestCounts]:
        prefixes = {c: f"cluster.{stat_name(self._service.name, c)}" for c in Color}
        either = "|".join(map(re.escape, prefixes.values()))
        found = self._admin.counters(f"^({either})\\.({ANSWERED}|{FAILED})$")
        return {
            color: RequestCounts(
                total=found.get(f"{prefix}.{ANSWERED}", 0),
                failed=found.get(f"{prefix}.{FAILED}", 0),
            )
            for color, prefix in prefixes.items()
        }

    def _ask(self, client: httpx.Client, url: str, deadline: float) -> Answer:
        started = time.monotonic()
        if started >= deadline:
            return _no_answer(0.0, "not asked: the requests before it took too long")
        try:
            answer = client.get(url, timeout=deadline - started)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            why = f"no answer ({type(error).__name__}: {error})"
            return _no_answer(time.monotonic() - started, why)
        ok = answer.is_success
        return Answer(
            ok=ok,
            status=answer.status_code,
            release_id=_known(answer.headers.get(RELEASE_HEADER)),
            version=self._version(answer),
            seconds=time.monotonic() - started,
            detail="" if ok else f"status {answer.status_code}: {quoted(answer.text)}",
        )

    def _version(self, answer: httpx.Response) -> str | None:
        try:
            body: Any = answer.json()
        except ValueError:
            return None
        version = body.get(self._service.identity.field) if isinstance(body, dict) else None
        return version if isinstance(version, str) else None


def _no_answer(seconds: float, why: str) -> Answer:
    return Answer(False, 0, release_id=None, version=None, seconds=seconds, detail=why)


def _known(release_id: str | None) -> str | None:
    """Envoy writes `-` for what it does not know."""
    return None if release_id in ("", "-") else release_id
