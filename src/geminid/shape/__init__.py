"""What an answer may look like: from a JSON Schema to a grammar that an engine enforces while decoding.

Invariant: every text that a grammar made here accepts parses as JSON and validates against its schema.
What cannot be honoured is refused with its path; nothing is silently dropped. Knows no wire, no engine.
"""
