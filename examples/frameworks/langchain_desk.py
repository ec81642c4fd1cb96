"""LangChain: a help desk that sorts a mail into a typed ticket, asks a tool, and streams its reply.

pip install langchain-openai
"""

import os

from langchain_core.messages import HumanMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from pydantic import BaseModel, Field

URL = os.environ.get("GEMINID_URL", "http://127.0.0.1:8080")
MODEL = os.environ.get("GEMINI_MODEL", "gemini-3.1-flash-lite")
MAIL = "My order 4711 has not arrived, and I leave for Rome on Friday. What can you do?"


class Ticket(BaseModel):
    """What a mail is about."""

    subject: str = Field(max_length=60)
    order: int = Field(ge=1, le=99_999)
    urgent: bool


@tool
def track(order: int) -> str:
    """Tell where a parcel is."""
    return f"Parcel {order} is in Bologna and will be delivered on Thursday."


def main() -> None:
    model = ChatOpenAI(
        model=MODEL, base_url=f"{URL}/v1", api_key="anything", temperature=0, max_completion_tokens=100
    )

    sort = ChatPromptTemplate.from_messages(
        [("system", "You sort the mails of a shop."), ("human", "{mail}")]
    ) | model.with_structured_output(Ticket)
    print("ticket:", sort.invoke({"mail": MAIL}).model_dump_json())

    messages = [HumanMessage(MAIL)]
    messages.append(model.bind_tools([track], tool_choice="track").invoke(messages))
    for call in messages[-1].tool_calls:
        messages.append(track.invoke(call))
        print("tool:", messages[-1].content)

    print("reply: ", end="")
    for chunk in model.stream(messages):
        print(chunk.text, end="", flush=True)
    print()


if __name__ == "__main__":
    main()
