"""What a confined process cannot do any more: each is tried in a process of its own."""

import socket
import subprocess
import sys

import pytest

from geminid.process.confine import Granted, grantable

TRIES = {
    "read what it was left": "open(left / 'file').read()",
    "list what it was left": "os.listdir(left)",
    "read elsewhere": "open(other / 'file').read()",
    "write": "open(left / 'new', 'w')",
    "write over": "open(left / 'file', 'w')",
    "remove": "os.remove(left / 'file')",
    "make a folder": "os.mkdir(left / 'folder')",
    "make a link": "os.symlink('/', left / 'link')",
    "run a program": "subprocess.run([sys.executable, '-c', ''])",
    "look into others": "open(f'/proc/{os.getppid()}/environ').read()",
    "reach the network": "socket.create_connection(('127.0.0.1', port), 1)",
    "send a packet": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', port))",
    "import": "import json.tool, sqlite3",
    "write to nowhere": "open(os.devnull, 'w').write('x')",
    "make threads": "threading.Thread(target=print).start()",
}
ALLOWED = {"read what it was left", "import", "write to nowhere", "make threads"}
PROGRAM = """
import os, socket, subprocess, sys, threading
from pathlib import Path
from geminid.process.confine import confine
left, other, port, reading = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "True"
print(confine([left], reading=reading), file=sys.stderr)
for name, code in {tries!r}.items():
    try:
        exec(code)
    except OSError as error:
        continue
    print("could", name)
"""

FORKING = """
import os, sys
from geminid.process.confine import confine
print(confine([]).files, flush=True)
if os.fork():
    os.wait()
else:
    print(open(sys.argv[1]).read())
"""


@pytest.fixture(scope="module", params=[True, False])
def could(request, tmp_path_factory):
    """What a confined process could do, and what it said that it was granted."""
    left, other = (tmp_path_factory.mktemp(name) for name in ("left", "other"))
    for folder in (left, other):
        (folder / "file").write_text("text")
    program = PROGRAM.replace("{tries!r}", repr(TRIES))
    with socket.create_server(("127.0.0.1", 0)) as server:
        arguments = [str(left), str(other), str(server.getsockname()[1]), str(request.param)]
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        )
    did = {line.removeprefix("could ") for line in done.stdout.splitlines() if line.startswith("could ")}
    return request.param, eval(done.stderr.strip(), {"Granted": Granted}), did


def test_a_confined_process_can_do_nothing_but_read_its_files(could):
    reading, granted, did = could
    if not (granted.files and granted.network):
        pytest.skip(f"this machine grants {granted}")
    elsewhere = set() if reading else {"read elsewhere", "list what it was left", "look into others"}
    assert did - elsewhere == ALLOWED
    assert elsewhere - {"look into others"} <= did


def test_asking_what_is_granted_gives_nothing_up(could, tmp_path):
    _, granted, _ = could
    assert grantable() == granted
    (tmp_path / "file").write_text("still mine")


def test_what_is_not_granted_is_told_and_does_not_stop_the_process(could):
    _, granted, did = could
    assert isinstance(granted, Granted)
    assert did >= ALLOWED


def test_a_child_of_a_confined_process_is_confined_too(tmp_path):
    (tmp_path / "file").write_text("text")
    done = subprocess.run(
        [sys.executable, "-P", "-c", FORKING, str(tmp_path / "file")], capture_output=True, text=True, cwd="/"
    )
    if done.stdout.startswith("False"):
        pytest.skip("this machine grants nothing")
    assert done.stdout == "True\n"
    assert "PermissionError" in done.stderr
