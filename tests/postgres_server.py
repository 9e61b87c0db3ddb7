"""A PostgreSQL server for tests, in a temporary folder."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.processes import dies_with_parent, needs_program, wait_until


@dataclass(frozen=True)
class PostgresServer:
    """A server's folder and port. `start` and `stop` wait for completion."""

    folder: Path
    port: int
    settings: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"postgres://shiol@127.0.0.1:{self.port}/postgres"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        ours = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}")
        options = [part for setting in (*ours, *self.settings) for part in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                [*self._as_nobody(), str(program("postgres")), "-D", str(self.data), *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach only the tests, which stop the server
            )
        wait_until(lambda: self._accepts_connections(process), 30, "the start of PostgreSQL")

    def _as_nobody(self) -> list[str]:
        """Return the start of a command line that drops root, which PostgreSQL refuses, and ties the server's
        life to ours.
        """
        if os.geteuid() != 0:
            return dies_with_parent("QUIT")
        nobody = pwd.getpwnam("nobody")
        user = [f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
        return [*dies_with_parent("QUIT"), *user]

    def _accepts_connections(self, process: subprocess.Popen[bytes]) -> bool:
        assert process.poll() is None, f"PostgreSQL ended: {(self.folder / 'log').read_text()[-2000:]}"
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def stop(self, mode: str = "fast") -> None:
        """Stop the server: `fast` writes all data, `immediate` simulates a crash."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def run(self, name: str, *arguments: str) -> None:
        """Run a PostgreSQL program, as `nobody` if the tests run as root."""
        subprocess.run(
            [str(program(name)), *arguments],
            cwd=self.folder,
            user="nobody" if os.geteuid() == 0 else None,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def postgres_server(*settings: str) -> Iterator[PostgresServer]:
    """Start an empty server with settings such as "fsync=off"; delete it with its folder afterwards."""
    needs_program(program("initdb") and program("pg_ctl"), "PostgreSQL (initdb, pg_ctl)")
    folder = Path(tempfile.mkdtemp(prefix="shiol-postgres-", dir="/tmp"))  # short, as it contains a socket
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    server = PostgresServer(folder, free_port(), settings)
    try:
        server.run("initdb", "-D", str(server.data), "-A", "trust", "-U", "shiol", "-E", "UTF8", "--no-sync")
        server.start()
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.stop("immediate")
        shutil.rmtree(folder)


def program(name: str) -> Path | None:
    """Return the path of a PostgreSQL program, from PATH or Debian's location."""
    if found := shutil.which(name):
        return Path(found)
    return next(iter(sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)), None)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
