"""The real reader process with a reader of text that does what the text says: for tests of its bounds."""

import ctypes
import socket
import sys
from pathlib import Path

from geminid.media import process
from geminid.media.reading import Passage, Reading, Still

MIB = 1 << 20


def said(*parts):
    return Reading(kind="text", mime_type="text/plain", parts=tuple(parts))


def eat():
    hoard = []
    while True:
        hoard.append(bytearray(MIB))


def eat_natively():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    while place := libc.malloc(ctypes.c_size_t(16 * MIB)):
        ctypes.memset(place, 1, 16 * MIB)
    raise RuntimeError("std::bad_alloc")


def overflow(depth=0):
    return overflow(depth + 1) if depth >= 0 else depth


def spin():
    while True:
        pass


def read(source, ask, opened, tools):
    order, _, rest = source.read_text().partition(":")
    match order:
        case "write":
            Path(rest).write_text("I was here")
        case "look":
            return said(Passage(Path(rest).read_text(), "text"))
        case "call":
            socket.create_connection(("127.0.0.1", int(rest)), 1)
        case "exit":
            sys.exit(rest)
        case "raise":
            raise KeyError(source)
        case "half":
            return said(Passage("a\ud800b", "text"))
        case "long":
            return said(Passage("x" * int(rest), "text"))
        case "pictures":
            return said(*[Still(bytes(100 * MIB), "image")] * int(rest))
        case "chatter":
            print("x" * 100_000)
            sys.stderr.write("y" * 1_000_000)
        case "eat":
            eat()
        case "eat natively":
            eat_natively()
        case "overflow":
            overflow()
        case "spin":
            spin()
        case "sleep natively":
            ctypes.CDLL(None).poll(None, 0, 600_000)
        case "crash":
            ctypes.string_at(0)
    return said(Passage("fine", "text"))


process.READERS["text"] = read
process.CPU_MS_MAX["text"] = 1_500

if __name__ == "__main__":
    process.main()
