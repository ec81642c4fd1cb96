"""geminid: the Gemini API on your own hardware."""

from importlib.metadata import version

__version__ = version("geminid")
