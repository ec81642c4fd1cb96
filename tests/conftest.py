"""Servers that many tests share."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from postgres import Postgres, postgres
from serving import Server, serving

settings.register_profile("house", deadline=None)  # how long an example takes is no property of the code
settings.load_profile("house")

SCRIPT = Path(__file__).parent / "script.toml"


@pytest.fixture(scope="session")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that answers from ``tests/script.toml``."""
    folder = tmp_path_factory.mktemp("scripted")
    with serving(folder, "--model", "scripted", environ={"GEMINID_SCRIPTED_SCRIPT": str(SCRIPT)}) as server:
        yield server


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with the real engine and the real small model, shared by tests that leave it whole."""
    folder = tmp_path_factory.mktemp("real")
    with serving(folder, "--pull", environ={"GEMINID_ENGINE_KV_CACHE_GIB": "1"}) as server:
        server.wait_ready()
        yield server


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Postgres]:
    """A PostgreSQL server, of which every test takes a database of its own."""
    with postgres("max_connections=200", "fsync=off") as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, once of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'geminid.db'}"
    return request.getfixturevalue("postgresql").database()
