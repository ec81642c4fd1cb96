"""Facts from a text into a pydantic model: what comes back is always of that type."""

from connect import MODEL, client
from pydantic import BaseModel, Field

MAIL = """Hello, this is Mira Olsen from Bergen. I ordered two blue lamps on the third of May and one
of them arrived broken. My phone number is 555-0172. Please send a new one."""


class Item(BaseModel):
    name: str = Field(max_length=40)
    quantity: int = Field(ge=1, le=100)


class Complaint(BaseModel):
    customer: str = Field(max_length=40)
    city: str = Field(max_length=40)
    phone: str = Field(pattern=r"^[0-9]{3}-[0-9]{4}$")
    items: list[Item] = Field(min_length=1, max_length=3)
    urgent: bool


def main() -> None:
    gemini = client()
    answer = gemini.models.generate_content(
        model=MODEL,
        contents=f"Extract the facts of this mail.\n\n{MAIL}",
        config={
            "response_mime_type": "application/json",
            "response_json_schema": Complaint.model_json_schema(),
        },
    )
    complaint = Complaint.model_validate_json(answer.text)
    print(complaint.model_dump_json(indent=2))


if __name__ == "__main__":
    main()
