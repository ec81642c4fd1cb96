"""What a child process gives up before it meets other people's bytes: writing, other programs, the network,
and files that it does not need.

Linux grants this to every process (Landlock since 5.13, network namespaces where users may make them); what
the machine does not grant is told, and the process runs without it. It knows no engine and no parser.
Invariant: what was given up never comes back.
"""

from __future__ import annotations

import ctypes
import os
import site
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

PR_SET_NO_NEW_PRIVS = 38
CLONE_NEWUSER, CLONE_NEWNET = 0x1000_0000, 0x4000_0000
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
"""The system calls of Landlock; they have these numbers on all processors."""
RULESET_VERSION, RULE_PATH_BENEATH = 1, 1
WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}
"""How many rights to files each version of Landlock knows: to write, create, remove, execute, read, list …"""
NET_SINCE, NET_RIGHTS = 4, 0b11
SCOPES_SINCE, SCOPES = 6, 0b11
"""Signals and abstract sockets reach no process outside."""

SYSTEM = (
    *("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/sys/devices", "/sys/fs/cgroup"),
    *("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/proc/filesystems", "/proc/sys"),
    *("/dev/zero", "/dev/urandom", "/dev/random"),
    *("/etc/ld.so.cache", "/etc/localtime", "/etc/fonts", "/etc/mime.types"),
)
"""What libraries read of a machine: nobody's secrets, and of ``/proc`` nothing about other processes, whose
environments may hold keys."""


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What the machine took from this process. files: it writes nothing, starts nothing and reads only what
    it was left; network: it has none."""

    files: bool
    network: bool


def confine(left: Iterable[Path], *, reading: bool = True) -> Granted:
    """Give up the network and all writing.

    With ``reading``, also files outside of the system and of ``left``: files, or folders in which a file is
    found by its name only. Must be called while there is one thread.
    """
    if sys.platform != "linux":
        return Granted(files=False, network=False)
    libc = ctypes.CDLL(None, use_errno=True)
    network = _without_network(libc)
    return Granted(files=_without_files(libc, tuple(left), reading), network=network)


def grantable() -> Granted:
    """Return what this machine grants, by asking for it in a process of its own."""
    command = (sys.executable, "-P", "-m", "geminid.process.confine")
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=True)
        return msgspec.json.decode(done.stdout, type=Granted)
    except (OSError, subprocess.SubprocessError, msgspec.MsgspecError):
        return Granted(files=False, network=False)


def _without_network(libc: ctypes.CDLL) -> bool:
    """Move to a network of this process's own, in which there is nothing."""
    return any(libc.unshare(flags) == 0 for flags in (CLONE_NEWNET, CLONE_NEWNET | CLONE_NEWUSER))


def _without_files(libc: ctypes.CDLL, left: tuple[Path, ...], reading: bool) -> bool:
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), RULESET_VERSION)
    if version < 1:
        return False
    rights = (1 << max(count for since, count in FILE_RIGHTS.items() if since <= version)) - 1
    network = NET_RIGHTS if version >= NET_SINCE else 0
    scopes = SCOPES if version >= SCOPES_SINCE else 0
    asked = b"".join(number.to_bytes(8, sys.byteorder) for number in (rights, network, scopes))
    rules = libc.syscall(CREATE_RULESET, asked, ctypes.c_size_t(len(asked)), 0)
    if rules < 0:
        return False
    try:
        for path, allowed in _allowed(left, reading):
            _allow(libc, rules, path, allowed & rights)
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        return bool(libc.syscall(RESTRICT_SELF, rules, 0) == 0)
    finally:
        os.close(rules)


def _allowed(left: tuple[Path, ...], reading: bool) -> Iterator[tuple[Path, int]]:
    """Yield what stays allowed, and how."""
    yield Path(os.devnull), READ_FILE | WRITE_FILE
    if not reading:
        yield Path("/"), READ_FILE | READ_DIR
        return
    interpreter = (*sys.path, *site.getsitepackages(), sys.prefix, sys.base_prefix, sys.exec_prefix)
    for place in filter(None, {*SYSTEM, *interpreter}):
        yield Path(place), READ_FILE | READ_DIR
    for path in left:
        yield path, READ_FILE  # not listed: other people's files have names that nobody guesses


def _allow(libc: ctypes.CDLL, rules: int, path: Path, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no leave
    try:
        if not path.is_dir():
            allowed &= ~READ_DIR  # a right of folders only
        rule = allowed.to_bytes(8, sys.byteorder) + place.to_bytes(4, sys.byteorder)
        libc.syscall(ADD_RULE, rules, RULE_PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(confine(())))
