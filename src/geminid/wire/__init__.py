"""Formats: bytes to core values and back. No await, no HTTP, no store."""
