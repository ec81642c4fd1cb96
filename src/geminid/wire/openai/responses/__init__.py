"""OpenAI's Responses: requests, items, answers and their events."""
