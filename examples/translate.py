"""Many short texts at once: requests that share their instruction are read by the engine only once."""

import asyncio

from connect import MODEL, client

INSTRUCTION = "Translate the user's English text to French. Answer with the translation only."
TEXTS = [
    "Good morning.",
    "Where is the station?",
    "The water is cold.",
    "I would like a coffee.",
    "Thank you.",
]


async def main() -> None:
    gemini = client().aio

    async def translated(text: str) -> str:
        answer = await gemini.models.generate_content(
            model=MODEL,
            contents=text,
            config={"system_instruction": INSTRUCTION, "max_output_tokens": 40},
        )
        return answer.text.strip()

    for text, translation in zip(TEXTS, await asyncio.gather(*map(translated, TEXTS)), strict=True):
        print(f"{text:25} {translation}")


if __name__ == "__main__":
    asyncio.run(main())
