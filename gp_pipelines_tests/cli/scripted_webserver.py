"""What stands for Dagster's webserver: it answers as the test wants."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from gp_pipelines.cli.dagster_api import DagsterApi

REPOSITORIES = {
    "repositoriesOrError": {
        "__typename": "RepositoryConnection",
        "nodes": [{"name": "__repository__", "location": {"name": "gp_pipelines"}}],
    }
}


class Webserver:
    """Gives the bodies in `answers`, one for each request, and keeps what it was asked."""

    def __init__(self) -> None:
        self.answers: list[bytes] = []
        self.asked: list[Any] = []
        webserver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                webserver.asked.append(json.loads(self.rfile.read(length)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(webserver.answers.pop(0))

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def api(self) -> DagsterApi:
        return DagsterApi(f"http://127.0.0.1:{self.server.server_port}/")

    def will_answer(self, *data: Any) -> None:
        self.answers = [json.dumps({"data": each}).encode() for each in data]
