"""What Prometheus reads from /metrics."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, generate_latest
from starlette.requests import Request
from starlette.responses import Response

from ghostpirates_api._release import VERSION


class Metrics:
    def __init__(self, release_id: str) -> None:
        prometheus_client.disable_created_metrics()
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "http_requests", "Answers by status.", ["status"], registry=self._registry
        )
        self._seconds = Histogram(
            "http_request_duration_seconds",
            "From the request's head to the answer's.",
            registry=self._registry,
        )
        build = Info("ghostpirates_api_build", "What is running.", registry=self._registry)
        build.info({"version": VERSION, "release_id": release_id})

    def answered(self, status: int, seconds: float) -> None:
        self._answers.labels(str(status)).inc()
        self._seconds.observe(seconds)

    async def show(self, request: Request) -> Response:
        content = generate_latest(self._registry)
        return Response(content, media_type=prometheus_client.CONTENT_TYPE_LATEST)
