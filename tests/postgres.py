"""A real PostgreSQL for tests: the distribution's, on a socket in a folder of its own, gone at the end.

It refuses to run as root, so there its processes are those of the user ``nobody``.
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = Path("/usr/lib/postgresql")
USER = "nobody"


def programs() -> Path:
    """The newest version that is installed."""
    found = sorted(PROGRAMS.glob("*/bin/postgres"), key=lambda path: float(path.parts[-3]))
    assert found, "PostgreSQL is not installed; on Debian and Ubuntu: apt-get install postgresql"
    return found[-1].parent


class Postgres:
    """A running server. Each test takes a database of its own from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = 0

    def sql(self, text: str, database: str = "postgres") -> str:
        command = [programs() / "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", "geminid"]
        done = subprocess.run(
            [*command, "-d", database, "-c", text], capture_output=True, text=True, check=True
        )
        return done.stdout

    def database(self) -> str:
        """Make an empty database and return its address."""
        self._numbers += 1
        name = f"test_{self._numbers}"
        self.sql(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://geminid@/{name}?host={self.folder}"


@contextmanager
def postgres(*settings: str) -> Iterator[Postgres]:
    """Run a server with its defaults, and what is set by ``name=value``."""
    as_user = {}
    folder = Path(tempfile.mkdtemp(prefix="geminid-postgres-"))
    if os.geteuid() == 0:
        nobody = pwd.getpwnam(USER)
        os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        as_user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    data, log = folder / "data", folder / "log"
    setup = [programs() / "initdb", "-D", data, "-U", "geminid", "-A", "trust", "-E", "UTF8", "--no-sync"]
    subprocess.run([*setup, "--locale=C"], check=True, capture_output=True, cwd=folder, **as_user)
    options = [
        f"-c{setting}" for setting in ("listen_addresses=", f"unix_socket_directories={folder}", *settings)
    ]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [programs() / "postgres", "-D", data, *options], stdout=sink, stderr=sink, cwd=folder, **as_user
        )
    try:
        _wait(folder, process, log)
        yield Postgres(folder)
    finally:
        process.send_signal(3)  # SIGQUIT: nothing is kept
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(folder: Path, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run([programs() / "pg_isready", "-q", "-h", folder]).returncode:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
