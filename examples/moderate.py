"""Several verdicts on one text in one answer; what follows from them is decided in code, not by a model."""

from enum import Enum

from connect import MODEL, client
from pydantic import BaseModel

POSTS = ["I love this community, thanks for all the help!", "Buy cheap watches now at my site!!!"]


class Severity(Enum):
    NONE = "none"
    MILD = "mild"
    SEVERE = "severe"


class Verdict(BaseModel):
    insult: Severity
    spam: Severity
    violence: Severity


def decided(verdict: Verdict) -> str:
    worst = {verdict.insult, verdict.spam, verdict.violence}
    if Severity.SEVERE in worst:
        return "remove"
    return "review" if Severity.MILD in worst else "keep"


def main() -> None:
    gemini = client()
    for post in POSTS:
        answer = gemini.models.generate_content(
            model=MODEL,
            contents=f"Judge this post of a forum:\n{post}",
            config={"response_mime_type": "application/json", "response_schema": Verdict},
        )
        print(f"{decided(answer.parsed):7} {answer.text}  {post}")


if __name__ == "__main__":
    main()
