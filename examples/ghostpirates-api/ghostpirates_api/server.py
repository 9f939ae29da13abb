"""The process: uvicorn, which on SIGTERM takes no more connections and ends what is in flight."""

import uvicorn

from ghostpirates_api.answers import Answers
from ghostpirates_api.application import application
from ghostpirates_api.metrics import Metrics
from ghostpirates_api.settings import Settings

KEEP_ALIVE_SECONDS = 75  # above what proxies keep an idle connection for: they close it first


def serve(settings: Settings) -> None:
    metrics = Metrics(settings.release_id)
    answers = Answers(application(settings, metrics), metrics, lambda: server.should_exit)
    server = uvicorn.Server(
        uvicorn.Config(
            answers,
            host=settings.host,
            port=settings.port,
            log_config=None,
            log_level=settings.log_level,
            access_log=settings.log_level == "debug",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            server_header=False,
        )
    )
    server.run()
