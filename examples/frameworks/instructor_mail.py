"""instructor: facts from a mail into a pydantic model, by OpenAI's client and by Google's.

pip install "instructor[google-genai]"
"""

import os

import instructor
from google import genai
from openai import OpenAI
from pydantic import BaseModel, Field

URL = os.environ.get("GEMINID_URL", "http://127.0.0.1:8080")
MODEL = os.environ.get("GEMINI_MODEL", "gemini-3.1-flash-lite")
MAIL = """Hello, this is Mira Olsen from Bergen. I ordered two blue lamps on the third of May and one
of them arrived broken. My phone number is 555-0172. Please send a new one."""


class Complaint(BaseModel):
    """What somebody complains about."""

    customer: str = Field(max_length=40)
    city: str = Field(max_length=40)
    lamps: int = Field(ge=1, le=100)
    urgent: bool


def main() -> None:
    messages = [{"role": "user", "content": f"Extract the facts of this mail.\n\n{MAIL}"}]
    by_openai = instructor.from_openai(OpenAI(base_url=f"{URL}/v1", api_key="anything"))
    complaint = by_openai.create(
        model=MODEL, response_model=Complaint, messages=messages, temperature=0, max_tokens=120
    )
    print("OpenAI's client:", complaint.model_dump_json())

    google = genai.Client(api_key="anything", http_options={"base_url": URL})
    by_google = instructor.from_genai(google, mode=instructor.Mode.GENAI_STRUCTURED_OUTPUTS)
    complaint = by_google.create(model=MODEL, response_model=Complaint, messages=messages)
    print("Google's client:", complaint.model_dump_json())


if __name__ == "__main__":
    main()
