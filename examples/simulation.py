"""A small world that keeps its state: each turn goes in as JSON and comes out as JSON of the same form."""

from connect import MODEL, client
from pydantic import BaseModel, Field


class Town(BaseModel):
    day: int = Field(ge=1, le=999)
    people: int = Field(ge=0, le=9999)
    food: int = Field(ge=0, le=9999)
    news: str = Field(max_length=80)


def main() -> None:
    gemini = client()
    town = Town(day=1, people=120, food=300, news="The harvest begins.")
    for decision in ("Build a mill.", "Invite settlers.", "Hold a feast."):
        answer = gemini.models.generate_content(
            model=MODEL,
            contents=f"Today: {town.model_dump_json()}\nThe mayor says: {decision}\nTomorrow:",
            config={
                "system_instruction": "You simulate a town, day by day.",
                "response_mime_type": "application/json",
                "response_json_schema": Town.model_json_schema(),
            },
        )
        tomorrow = Town.model_validate_json(answer.text)
        town = tomorrow.model_copy(update={"day": town.day + 1})  # rules stay in code
        print(f"day {town.day}: {town.people} people, {town.food} food. {town.news}")


if __name__ == "__main__":
    main()
