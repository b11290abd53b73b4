"""A PostgreSQL server of the tests' own, made of Debian's programs and killable like a real one.

One server serves a whole pytest session, whichever rooms ask for it; each test gets a database of
its own. It listens on a socket in its own folder and on a free port of the loopback, wants
passwords, and writes to the disk as PostgreSQL does by default, so that what was stored before a
test killed it was really stored.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

OWNER = "owner"  # a superuser
PASSWORD = "s3cret/of:the@owner"  # with the letters that a URL has to quote
QUOTED = "s3cret%2Fof%3Athe%40owner"
START_S = 60.0  # recovering from a kill included
PR_SET_PDEATHSIG = 1  # prctl(2)

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "log_min_messages": "warning",
}


def programs() -> Path | None:
    """Where Debian keeps the newest server's programs, which are not on the PATH."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    found = [folder for folder in folders if (folder / "initdb").exists()]
    return max(found, key=lambda folder: float(folder.parent.name), default=None)


class Postgres:
    """A server in a folder. `start` after `kill` or `stop` goes on with what is on the disk."""

    def __init__(self, programs: Path) -> None:
        self.programs = programs
        # Not below pytest's folder: only its owner may enter that, and PostgreSQL refuses root.
        self.folder = Path(tempfile.mkdtemp(prefix="loopgauge-postgres-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        self._make()

    def url(self, database: str, user: str = OWNER, password: str = QUOTED) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def connect(self, database: str = "postgres") -> Any:
        import psycopg

        return psycopg.connect(self.url(database), autocommit=True)

    def new_database(self) -> str:
        """An empty one's name."""
        name = f"test_{secrets.token_hex(4)}"
        with self.connect() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return name

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [self.programs / "postgres", *self._words()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                preexec_fn=_end_with_us,
                **self._as_user(),
            )
        deadline = time.monotonic() + START_S
        while not self._answers():
            assert self._process.poll() is None, f"it ended:\n{self.log.read_text()}"
            assert time.monotonic() < deadline, f"it never answers:\n{self.log.read_text()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, as `pg_ctl stop -m fast` does: sessions are ended, the data is in order."""
        self._end(lambda process: process.send_signal(signal.SIGINT))

    def kill(self) -> None:
        """As a power failure would: no process of the server does anything any more."""

        def kill(process: subprocess.Popen[bytes]) -> None:
            process.send_signal(signal.SIGSTOP)  # starts no other meanwhile
            for child in psutil.Process(process.pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    child.kill()
            process.kill()

        self._end(kill)

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder)

    def _make(self) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD)
        password.chmod(0o644)
        made = subprocess.run(
            [self.programs / "initdb", "-D", self.data, "-U", OWNER, "-E", "UTF8", "--locale=C",
             "--auth=scram-sha-256", f"--pwfile={password}"],
            capture_output=True,
            text=True,
            cwd=self.folder,
            **self._as_user(),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr

    def _words(self) -> list[str]:
        settings = {**SETTINGS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        return ["-D", str(self.data), *(f"--{name}={value}" for name, value in settings.items())]

    def _as_user(self) -> dict[str, Any]:
        return {"user": self._user, "extra_groups": []} if self._user is not None else {}

    def _answers(self) -> bool:
        words = [self.programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(words, cwd=self.folder).returncode == 0

    def _end(self, tell: Callable[[subprocess.Popen[bytes]], None]) -> None:
        if self._process is None:
            return
        tell(self._process)
        self._process.wait()
        self._process = None


def _end_with_us() -> None:
    """However the tests end: the kernel sends the server what `stop` sends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


KEY = pytest.StashKey[Postgres]()


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Postgres:
    """The server, running. Kept with the session, not with the fixture, which every room that
    wants it imports into its own conftest."""
    if KEY not in pytestconfig.stash:
        found = programs()
        if found is None:
            pytest.skip("PostgreSQL's programs are not installed (apt-get install postgresql)")
        server = Postgres(found)
        pytestconfig.stash[KEY] = server
        pytestconfig.add_cleanup(server.remove)
        server.start()
    return pytestconfig.stash[KEY]


@pytest.fixture
def postgres_url(postgres: Postgres) -> Iterator[str]:
    """The URL, password and all, of an empty database that only this test uses."""
    name = postgres.new_database()
    yield postgres.url(name)
    with postgres.connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
