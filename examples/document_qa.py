"""Questions about a PDF, answered with the page: the document is uploaded once and asked many times."""

import sys
from pathlib import Path

from connect import MODEL, client, uploaded
from pydantic import BaseModel, Field

REPORT = Path(__file__).parent / "media" / "report.pdf"
QUESTIONS = ("How many lamps were sold in Bergen?", "Who is responsible for the warehouse?")


class Found(BaseModel):
    answer: str = Field(max_length=60)
    page: int = Field(ge=1, le=9)


def main(path: Path) -> None:
    gemini = client()
    with uploaded(gemini, path) as report:
        for question in QUESTIONS:
            answer = gemini.models.generate_content(
                model=MODEL,
                contents=[report, f"{question} Answer from the report, and name the page."],
                config={
                    "response_mime_type": "application/json",
                    "response_json_schema": Found.model_json_schema(),
                },
            )
            found = Found.model_validate_json(answer.text)
            print(f"{question}\n  {found.answer} (page {found.page})")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else REPORT)
