"""One label of a few for each text. The model writes nothing freely: it chooses.

With log-probabilities the answer tells how likely each label is, so that doubtful cases can be sent to a
person.
"""

import math

from connect import MODEL, client

LABELS = ["billing", "delivery", "technical", "praise"]
INSTRUCTION = (
    "You sort mail of a shop. billing: invoices, refunds. delivery: parcels, delays. "
    "technical: the product does not work. praise: thanks."
)
MAILS = [
    "Where is my parcel? It should have been here on Monday.",
    "You charged my card twice for one order.",
    "The screen stays black when I press the button.",
    "Thank you, everything came in time and works well!",
]


def main() -> None:
    gemini = client()
    for mail in MAILS:
        answer = gemini.models.generate_content(
            model=MODEL,
            contents=mail,
            config={
                "system_instruction": INSTRUCTION,
                "response_mime_type": "text/x.enum",
                "response_schema": {"type": "STRING", "enum": LABELS},
                "response_logprobs": True,
                "logprobs": len(LABELS),
            },
        )
        (ranked,) = answer.candidates[0].logprobs_result.top_candidates
        shares = ", ".join(f"{each.token} {math.exp(each.log_probability):.0%}" for each in ranked.candidates)
        print(f"{answer.text:10} {mail}\n           {shares}")


if __name__ == "__main__":
    main()
