"""Questions to a folder: its passages as vectors, the nearest read by the model, with their sources."""

import sys
from pathlib import Path
from typing import NamedTuple

from connect import MODEL, client
from google import genai
from google.genai import types

HANDBOOK = Path(__file__).parent / "media" / "handbook"
EMBEDDING = "gemini-embedding-001"
QUESTIONS = (
    "How many days off do I have each year?",
    "What may a hotel in London cost?",
    "I lost my key card. Whom do I tell?",
)
NEAREST = 3


class Passage(NamedTuple):
    """A paragraph of a file."""

    file: str
    text: str
    vector: list[float]


def vectors(gemini: genai.Client, texts: list[str], task: str) -> list[list[float]]:
    """Embed any number of texts, a hundred at a time."""
    config = types.EmbedContentConfig(task_type=task)
    answers = (
        gemini.models.embed_content(model=EMBEDDING, contents=texts[first : first + 100], config=config)
        for first in range(0, len(texts), 100)
    )
    return [each.values for answer in answers for each in answer.embeddings]


def passages(gemini: genai.Client, folder: Path) -> list[Passage]:
    """Cut the texts of a folder into paragraphs, and embed them."""
    found = [
        (path.name, " ".join(paragraph.split()))
        for path in sorted(folder.rglob("*"))
        if path.suffix in (".md", ".txt")
        for paragraph in path.read_text().split("\n\n")
        if paragraph.strip() and not paragraph.startswith("#")
    ]
    made = vectors(gemini, [text for _, text in found], "RETRIEVAL_DOCUMENT")
    return [Passage(file, text, vector) for (file, text), vector in zip(found, made, strict=True)]


def nearest(question: list[float], kept: list[Passage]) -> list[Passage]:
    """Return the passages whose vectors point where the question's does: all have length 1."""
    return sorted(kept, key=lambda each: -sum(a * b for a, b in zip(each.vector, question, strict=True)))[
        :NEAREST
    ]


def main(folder: Path) -> None:
    gemini = client()
    kept = passages(gemini, folder)
    print(f"{len(kept)} passages of {folder.name}")
    asked = vectors(gemini, list(QUESTIONS), "RETRIEVAL_QUERY")
    for question, vector in zip(QUESTIONS, asked, strict=True):
        read = nearest(vector, kept)
        sources = "\n".join(f"[{number}] {each.text}" for number, each in enumerate(read, 1))
        answer = gemini.models.generate_content(
            model=MODEL,
            contents=f"{sources}\n\nAnswer in one sentence from these passages: {question}",
            config={"temperature": 0, "max_output_tokens": 60},
        )
        print(f"\n{question}\n  {answer.text}")
        for number, each in enumerate(read, 1):
            print(f"  [{number}] {each.file}: {each.text}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HANDBOOK)
