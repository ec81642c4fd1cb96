"""Where the examples find geminid."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from google import genai
from google.genai import types

MODEL = os.environ.get("GEMINI_MODEL", "gemini-3.1-flash-lite-preview")


def client() -> genai.Client:
    """Return Google's client, pointed at geminid."""
    url = os.environ.get("GEMINID_URL", "http://127.0.0.1:8080")
    return genai.Client(http_options={"api_version": "v1beta", "base_url": url}, api_key="anything")


@contextmanager
def uploaded(gemini: genai.Client, path: Path) -> Iterator[types.File]:
    """Have a file on the server for as long as the block lasts; film and sound take a moment to be ready."""
    file = gemini.files.upload(file=path)
    try:
        while file.state is types.FileState.PROCESSING:
            time.sleep(0.2)
            file = gemini.files.get(name=file.name)
        yield file
    finally:
        gemini.files.delete(name=file.name)
