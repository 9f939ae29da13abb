# A small HTTP service that starts at once. It keeps nothing: what is "written" is answered from its
# id, so all replicas of all versions agree, as if they had one database.
#
# Files in $TROUBLE say what is wrong with a version (VERSION is set above, by the build):
#   sick-<version>      /health fails: the replica never gets ready
#   failing-<version>   /check fails
#   waiting-<version>   /check has no answer for as long as it is there
#   unknown-<version>   /identity fails: a switch to it cannot be verified
# and asked-<version> is written when /check is asked.

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECONDS = 60.0  # longer than any test waits


def trouble(how):
    return Path(os.environ["TROUBLE"]) / f"{how}-{VERSION}"  # noqa: F821


def troubled(how):
    return trouble(how).exists()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        match self.path.split("/")[1:]:
            case ["health"]:
                self.tell(503 if troubled("sick") else 200)
            case ["identity"]:
                self.tell(500 if troubled("unknown") else 200)
            case ["check"]:
                trouble("asked").touch()
                end = time.monotonic() + SECONDS
                while troubled("waiting") and time.monotonic() < end:
                    time.sleep(0.02)
                self.tell(500 if troubled("failing") else 200)
            case ["api", "missions"]:
                self.answer(200, [])
            case ["api", "missions", number]:
                self.answer(200, {"id": number, "title": number.replace("-", " ")})
            case _:
                self.answer(404, {})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.answer(201, {"id": body["title"].replace(" ", "-"), "title": body["title"]})

    def tell(self, status):
        self.answer(status, {"version": VERSION, "color": os.environ["GP_COLOR"]})  # noqa: F821

    def answer(self, status, content):
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Version", VERSION)  # noqa: F821
        if self.server.draining:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 1024
    draining = False

    def drain(self):
        """What is in flight ends; its connections are closed with their answers."""
        self.draining = True
        self.shutdown()
        self.server_close()
        time.sleep(0.5)
        os._exit(0)


def main():
    server = Server((os.environ["HOST"], int(os.environ["PORT"])), Handler)
    server.block_on_close = False
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.drain).start())
    print(f"{VERSION} listens", flush=True)  # noqa: F821
    server.serve_forever(poll_interval=0.05)
    threading.Event().wait()  # until drained
