"""The administration API against whatever its own document allows, and what it does not, on a real server.

Every answer is one that the document tells, in the shape that it tells; none is a 500, and afterwards the
ledger still proves itself. ``HOSTILE_SEED`` chooses other requests, ``PROVE=all`` many more.
"""

import contextlib
import itertools
import os
import re
import subprocess
import sys

import httpx
import hypothesis
import pytest
import schemathesis
from schemathesis import GenerationMode

from geminid.wire.admin.operations import OPERATIONS, PREFIX
from serving import Server, serving

SEED = int(os.environ.get("HOSTILE_SEED", "20261125"))
ALL = os.environ.get("PROVE") == "all"
EXAMPLES = 300 if ALL else 12
STORES = ("sqlite", "postgresql") if ALL else ("sqlite",)
CHECKS = [
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]
"""An answer has a status, a type and a shape that the document tells."""
TELLTALES = ("Traceback", "sqlite", "sqlalchemy", "psycopg", "/src/", ".py", "SELECT ", "INSERT ")


class Admin:
    """A server, and the token of an administrator."""

    def __init__(self, server: Server, folder, environ) -> None:
        self.server = server
        self.environ = {**os.environ, **environ, "GEMINID_SERVER_DATA": str(folder / "data")}
        self.token = self.run("tokens", "create", "fuzz").stdout.strip()
        self.headers = {"authorization": f"Bearer {self.token}"}
        self.http = httpx.Client(base_url=server.url, headers=self.headers, timeout=60)
        self.numbers = itertools.count()

    def names(self, path):
        """Names for the parameters of a path, of things that are there and that no other test has."""
        project = f"team-{next(self.numbers)}"
        self.http.post(f"{PREFIX}/projects", json={"id": project}).raise_for_status()
        made = self.http.post(f"{PREFIX}/projects/{project}/keys", json={"name": "a key"}).json()
        known = {
            "project": project,
            "key": made["key"]["id"] if "/keys/" in path else "gemini-3.1-flash-lite",
        }
        return {name: known.get(name, "house") for name in re.findall(r"{(\w+)}", path)}

    def run(self, *arguments):
        command = [sys.executable, "-m", "geminid.cli.main", *arguments]
        return subprocess.run(
            command, env=self.environ, capture_output=True, text=True, check=True, timeout=60
        )


@pytest.fixture(scope="module", params=STORES)
def admin(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("admin")
    environ = {}
    if request.param == "postgresql":
        environ["GEMINID_STORE_URL"] = request.getfixturevalue("postgresql").database()
    with serving(folder, "--model", "scripted", environ=environ) as server:
        opened = Admin(server, folder, environ)
        yield opened
        opened.http.close()


@pytest.fixture(scope="module")
def document(admin):
    return schemathesis.openapi.from_dict(admin.http.get(f"{PREFIX}/openapi.json").json())


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda each: each.value)
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.id)
def test_no_request_is_answered_with_500(admin, document, operation, mode):
    described = document[PREFIX + operation.path][operation.method]
    somewhere = described.as_strategy(generation_mode=mode)
    there = admin.names(operation.path)
    # Most names that are made up are of nothing; under these there is something to be wrong about.
    here = described.as_strategy(generation_mode=mode, path_parameters=there) if there else somewhere

    @hypothesis.seed(SEED)
    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(case=here | somewhere)
    def ask(case):
        answer = case.call(base_url=admin.server.url, headers=admin.headers)
        assert answer.status_code < 500, (answer.request.url, answer.request.body, answer.text)
        assert not any(word in answer.text for word in TELLTALES), answer.text
        case.validate_response(answer, checks=CHECKS)

    with contextlib.suppress(hypothesis.errors.Unsatisfiable):  # nothing can be wrong about some requests
        ask()


def test_the_books_are_right_after_all_that(admin):
    assert "fit" in admin.run("ledger", "verify").stdout
    assert "Traceback" not in admin.server.log.read_text()
