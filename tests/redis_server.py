"""A Redis server for tests."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from tests.postgres_server import free_port
from tests.processes import dies_with_parent, needs_program, wait_until


@dataclass(frozen=True)
class RedisServer:
    process: subprocess.Popen[bytes]
    port: int

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True)

    def answers(self) -> bool:
        try:
            return bool(self.client().ping())
        except redis.ConnectionError:
            return False


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Run an empty Redis without persistence on a loopback port."""
    program = shutil.which("redis-server")
    needs_program(program, "Redis (redis-server)")
    port = free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", ""]
    command = [*dies_with_parent(), str(program), *options]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        server = RedisServer(process, port)
        wait_until(server.answers, 10, "an answer of Redis")
        yield server
    finally:
        process.kill()
        process.wait()
