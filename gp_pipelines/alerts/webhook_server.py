"""The webhook's application on a port of its own."""

import logging
import sys

import uvicorn
from starlette.types import ASGIApp

MOST_CONNECTIONS = 200  # more are answered with 503
LONGEST_HEAD = 32_768  # bytes
IDLE_SECONDS = 65  # a sender that repeats every minute keeps its connection
END_SECONDS = 5  # for what is being answered


def serve(app: ASGIApp, host: str, port: int) -> None:
    """Until a signal ends the process. What is said is logged to stderr."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s"
    )
    server(app, host, port).run()


def server(app: ASGIApp, host: str, port: int) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http="h11",  # it has a limit for heads
            h11_max_incomplete_event_size=LONGEST_HEAD,
            limit_concurrency=MOST_CONNECTIONS,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=END_SECONDS,
            lifespan="on",
            log_config=None,
            access_log=False,  # it would repeat what strangers put into a path
            server_header=False,
        )
    )
