"""Google's Gemini API: what its JSON says, and how answers are spelled in it."""
