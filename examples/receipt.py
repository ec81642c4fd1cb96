"""A photographed receipt into typed JSON: the picture is read, the schema is enforced."""

import sys
from pathlib import Path

from connect import MODEL, client
from google.genai import types
from pydantic import BaseModel, Field

RECEIPT = Path(__file__).parent / "media" / "receipt.png"


class Line(BaseModel):
    item: str = Field(max_length=30)
    price: float = Field(ge=0, le=1000)


class Receipt(BaseModel):
    shop: str = Field(max_length=30)
    lines: list[Line] = Field(min_length=1, max_length=5)
    total: float = Field(ge=0, le=10_000)


def main(path: Path) -> None:
    picture = types.Part.from_bytes(data=path.read_bytes(), mime_type="image/png")
    gemini = client()
    answer = gemini.models.generate_content(
        model=MODEL,
        contents=[picture, "Write this receipt as JSON."],
        config={
            "response_mime_type": "application/json",
            "response_json_schema": Receipt.model_json_schema(),
        },
    )
    receipt = Receipt.model_validate_json(answer.text)
    print(receipt.model_dump_json(indent=2))
    for count in answer.usage_metadata.prompt_tokens_details:
        print(f"{count.token_count} tokens of {count.modality.value.lower()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECEIPT)
