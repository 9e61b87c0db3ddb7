"""A local web server that publishes draws, well-formed or not."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

NY_CSV = "Draw Date,Winning Numbers,Multiplier\n"
GOOD_NY_CSV = NY_CSV + "11/09/2022,07 14 24 30 56 07,2\n"


@dataclass
class Answer:
    status: int = 200
    body: bytes = GOOD_NY_CSV.encode()
    headers: dict[str, str] = field(default_factory=dict)
    drip: float = 0  # seconds before each byte of the body


class FeedServer(ThreadingHTTPServer):
    """A web server on a free loopback port. It sends its responses in turn, and repeats the last one."""

    daemon_threads = True

    def __init__(self, *answers: Answer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: Sequence[Answer] = answers
        self.requests: list[Message] = []  # headers per request
        self.url = f"http://127.0.0.1:{self.server_port}/draws"

    def __enter__(self) -> "FeedServer":
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: FeedServer

    def do_GET(self) -> None:
        answers, asked = self.server.answers, self.server.requests
        answer = answers[min(len(asked), len(answers) - 1)]
        asked.append(self.headers)
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.body))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for start in range(0, len(answer.body), 1 if answer.drip else 65536):
                time.sleep(answer.drip)
                self.wfile.write(answer.body[start : start + (1 if answer.drip else 65536)])
        except OSError:  # the client has disconnected, as some tests require
            return

    def log_message(self, *args: object) -> None:
        """Suppress the access log."""
