"""Anthropic's Messages API: bytes to core values and back. No other room knows that there is such a wire."""
