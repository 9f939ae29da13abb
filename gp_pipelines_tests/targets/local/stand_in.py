"""A small HTTP service that stands in for a real one: standard library only, so it starts at once.

Run as a script, without this package. It keeps nothing: what is "written" is answered from its id,
so all replicas of all versions agree, as if they had one database.
"""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BEHAVIOUR = os.environ.get("BEHAVIOUR", "good")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "Server"

    def do_GET(self) -> None:
        with self.server.under_way:
            url = urlsplit(self.path)
            if url.path == "/health":
                status = 503 if BEHAVIOUR == "never_ready" else 200
                self._answer(status, {"version": os.environ["GP_VERSION"]})
            elif url.path == "/slow":
                time.sleep(float(parse_qs(url.query)["seconds"][0]))
                self._answer(200, {"version": os.environ["GP_VERSION"]})
            elif url.path == "/fails":
                self._answer(500, {"error": "on purpose"})
            elif url.path == "/environment":
                self._answer(200, dict(os.environ))
            elif url.path == "/api/missions":
                self._answer(200, [])
            elif url.path == "/cut":
                os._exit(9)
            else:
                number = url.path.rsplit("/", 1)[-1]
                self._answer(200, {"id": number, "title": number.replace("-", " ")})

    def do_POST(self) -> None:
        with self.server.under_way:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            title = body["title"]
            self._answer(201, {"id": title.replace(" ", "-"), "title": title})

    def _answer(self, status: int, content: object) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Version", os.environ["GP_VERSION"])
        if self.server.draining:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class UnderWay:
    """How many requests have no answer yet."""

    def __init__(self) -> None:
        self._count = 0
        self._changed = threading.Condition()

    def __enter__(self) -> None:
        with self._changed:
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._count -= 1
            self._changed.notify_all()

    def wait_for_none(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._count == 0)


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    draining = False
    under_way = UnderWay()

    def drain(self) -> None:
        self.draining = True
        self.shutdown()
        self.server_close()
        self.under_way.wait_for_none()
        print("drained", flush=True)
        os._exit(0)


def main() -> None:
    print(f"starts as {os.environ['GP_RELEASE_ID']} with TOKEN {os.environ['TOKEN']}", flush=True)
    if BEHAVIOUR == "crashes":
        print("cannot start", flush=True)
        sys.exit(3)
    server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
    server.block_on_close = False
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.drain).start())
    server.serve_forever(poll_interval=0.05)
    threading.Event().wait()  # until drained


if __name__ == "__main__":
    main()
