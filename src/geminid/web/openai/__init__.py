"""OpenAI's API over HTTP, and Google's imitation of it."""
