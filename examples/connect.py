"""Where the examples find geminid."""

import os

from google import genai

MODEL = os.environ.get("GEMINI_MODEL", "gemini-3.1-flash-lite-preview")


def client() -> genai.Client:
    """Return Google's client, pointed at geminid."""
    url = os.environ.get("GEMINID_URL", "http://127.0.0.1:8080")
    return genai.Client(http_options={"api_version": "v1beta", "base_url": url}, api_key="anything")
