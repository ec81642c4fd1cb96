"""A recorded meeting into minutes: the speech is transcribed, the form of the minutes is enforced."""

import sys
from pathlib import Path

from connect import MODEL, client, uploaded
from pydantic import BaseModel, Field

MEETING = Path(__file__).parent / "media" / "meeting.ogg"


class Task(BaseModel):
    who: str = Field(max_length=20)
    what: str = Field(max_length=50)


class Minutes(BaseModel):
    topic: str = Field(max_length=40)
    decisions: list[str] = Field(min_length=1, max_length=2)
    tasks: list[Task] = Field(min_length=1, max_length=2)


def main(path: Path) -> None:
    gemini = client()
    with uploaded(gemini, path) as sound:
        answer = gemini.models.generate_content(
            model=MODEL,
            contents=["Write the minutes of this meeting.", sound],
            config={
                "response_mime_type": "application/json",
                "response_json_schema": Minutes.model_json_schema(),
            },
        )
        print(Minutes.model_validate_json(answer.text).model_dump_json(indent=2))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else MEETING)
