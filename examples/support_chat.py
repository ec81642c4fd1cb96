"""A support chat: a system instruction, a history that the SDK keeps, and answers as they are written."""

from connect import MODEL, client

INSTRUCTION = "You help customers of a lamp shop. Be brief. Lamps have a guarantee of two years."


def main() -> None:
    gemini = client()
    chat = gemini.chats.create(
        model=MODEL, config={"system_instruction": INSTRUCTION, "max_output_tokens": 60}
    )
    for question in ("My lamp does not work any more.", "I bought it last year. Is there a guarantee?"):
        print(f"> {question}")
        for chunk in chat.send_message_stream(question):
            print(chunk.text or "", end="", flush=True)
        print()
    print(f"({len(chat.get_history())} turns in the history)")


if __name__ == "__main__":
    main()
