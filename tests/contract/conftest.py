"""Clients and servers of the contract tests."""

from collections.abc import Callable, Iterator

import pytest
from google import genai

from serving import Server, serving


@pytest.fixture(autouse=True)
def no_ambient_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the SDK's settings of whoever runs the tests."""
    for name in ("GOOGLE_API_KEY", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "GOOGLE_GENAI_API_VERSION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def client_of() -> Iterator[Callable[..., genai.Client]]:
    """Make clients as users do, of a server or of an address; they are closed at the end."""
    clients = []

    def make(server: Server | str, **http_options) -> genai.Client:
        url = server if isinstance(server, str) else server.url
        clients.append(genai.Client(api_key="anything", http_options={"base_url": url, **http_options}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def client(scripted: Server, client_of) -> genai.Client:
    """A client of the scripted server, everything else as the SDK has it."""
    return client_of(scripted)


@pytest.fixture(scope="session")
def real_client(real: Server, client_of) -> genai.Client:
    """A client of the server with the real engine."""
    return client_of(real)


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that knows two keys."""
    environ = {"GEMINID_SERVER_KEYS": "sk-one,sk-two"}
    with serving(tmp_path_factory.mktemp("keyed"), "--model", "scripted", environ=environ) as server:
        yield server


@pytest.fixture(scope="session")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that refuses what the live model refuses."""
    with serving(tmp_path_factory.mktemp("strict"), "--model", "scripted", "--strict") as server:
        yield server
