"""Many questions to one contract: it is read once, kept for a while, and costs a tenth in each question."""

import sys
from pathlib import Path

from connect import MODEL, client
from google.genai import types

LEASE = Path(__file__).parent / "media" / "lease.txt"
QUESTIONS = (
    "What is the rent, and when is it due?",
    "How may the tenant prolong the lease?",
    "What may be stored, and what only in the fire-proof room?",
    "Who is responsible for safety?",
)


def main(path: Path) -> None:
    gemini = client()
    cache = gemini.caches.create(
        model=MODEL,
        config=types.CreateCachedContentConfig(
            display_name=path.name,
            system_instruction="Answer from the contract in one sentence, and name the clause.",
            contents=path.read_text(),
            ttl="3600s",
        ),
    )
    try:
        print(f"{cache.name}: {cache.usage_metadata.total_token_count} tokens, until {cache.expire_time}")
        for question in QUESTIONS:
            answer = gemini.models.generate_content(
                model=MODEL,
                contents=question,
                config={"cached_content": cache.name, "temperature": 0, "max_output_tokens": 80},
            )
            usage = answer.usage_metadata
            print(f"{question}\n  {answer.text}")
            print(f"  ({usage.cached_content_token_count} of {usage.prompt_token_count} tokens cached)")
    finally:
        gemini.caches.delete(name=cache.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else LEASE)
