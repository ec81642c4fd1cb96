"""OpenAI's Realtime API: the events of a live session, in both directions."""
