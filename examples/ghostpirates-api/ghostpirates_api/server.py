"""The process: uvicorn, which on SIGTERM takes no more connections and answers what is in flight.

Those answers end their connections (`Connection: close`); idle ones are closed at once.
"""

import uvicorn

from ghostpirates_api.answers import Answers
from ghostpirates_api.application import application
from ghostpirates_api.metrics import Metrics
from ghostpirates_api.settings import Settings

KEEP_ALIVE_SECONDS = 75  # above what proxies keep an idle connection for: they close it first


def serve(settings: Settings) -> None:
    metrics = Metrics(settings.release_id)
    uvicorn.run(
        Answers(application(settings, metrics), metrics),
        host=settings.host,
        port=settings.port,
        log_config=None,
        log_level=settings.log_level,
        access_log=settings.log_level == "debug",
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        server_header=False,
    )
