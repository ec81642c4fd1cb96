"""Start a real server process for a test and say where it listens."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from geminid.config import Config

LISTENING = re.compile(r"listening on (http://\S+)")


class Server:
    """A running ``geminid serve``. ``url`` is its base URL, ``log`` what it wrote to stderr."""

    def __init__(self, process: subprocess.Popen, url: str, log: Path) -> None:
        self.process, self.url, self.log = process, url, log

    def get(self, path: str, **options) -> httpx.Response:
        return httpx.get(self.url + path, timeout=60, **options)

    def post(self, path: str, **options) -> httpx.Response:
        return httpx.post(self.url + path, timeout=120, **options)

    def engine(self, model: str = "smollm2-135m-instruct") -> dict:
        """The state of one model, as ``/readyz`` tells it."""
        return next(state for state in self.get("/readyz").json()["models"] if state["model"] == model)

    def wait_ready(self, seconds: float = 100) -> None:
        deadline = time.monotonic() + seconds
        while self.get("/readyz").status_code != 200:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.1)


@contextmanager
def serving(folder: Path, *flags: str, environ: dict[str, str] | None = None) -> Iterator[Server]:
    """Run ``geminid serve`` on a free port until the block ends.

    What it keeps is in ``folder``; weights are the user's, since they are fetched once.
    """
    log = folder / "server.log"
    kept = {"GEMINID_SERVER_DATA": str(folder / "data"), "GEMINID_CATALOG_CACHE": str(Config().cache())}
    command = [sys.executable, "-m", "geminid.cli.main", "serve", "--port", "0", *flags]
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            stdout=sink,
            stderr=sink,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **kept, **(environ or {})},
        )
    try:
        yield Server(process, _url(process, log), log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"the server did not stop:\n{log.read_text()}") from None


def _url(process: subprocess.Popen, log: Path) -> str:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if found := LISTENING.search(log.read_text()):
            return found[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(log.read_text())
