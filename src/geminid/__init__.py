"""geminid: the Gemini API on your own hardware."""
