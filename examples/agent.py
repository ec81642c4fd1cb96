"""A loop that calls tools until it is done.

The model must call something in each step (mode ANY), and what it may call is narrowed at the end: so the
loop ends with an answer, however weak the model.
"""

from connect import MODEL, client
from google.genai import types

STOCK = {"lamp": 7, "chair": 0}
STEPS_MAX = 4


def look_up_stock(item: str) -> dict:
    return {"in_stock": STOCK.get(item, 0)}


TOOLS = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="look_up_stock",
            description="How many pieces of an item are there?",
            parameters_json_schema={
                "type": "object",
                "properties": {"item": {"enum": list(STOCK)}},
                "required": ["item"],
            },
        ),
        types.FunctionDeclaration(
            name="answer",
            description="Answer the customer, when all is known.",
            parameters_json_schema={
                "type": "object",
                "properties": {"text": {"type": "string", "maxLength": 120}},
                "required": ["text"],
            },
        ),
    ]
)


def config(*allowed: str) -> types.GenerateContentConfig:
    calling = types.FunctionCallingConfig(
        mode=types.FunctionCallingConfigMode.ANY, allowed_function_names=list(allowed) or None
    )
    return types.GenerateContentConfig(
        max_output_tokens=150, tools=[TOOLS], tool_config=types.ToolConfig(function_calling_config=calling)
    )


def main() -> None:
    gemini = client()
    history = [types.UserContent("Do you have a lamp?")]
    for step in range(1, STEPS_MAX + 1):
        allowed = ("answer",) if step == STEPS_MAX else ()
        reply = gemini.models.generate_content(model=MODEL, contents=history, config=config(*allowed))
        history.append(reply.candidates[0].content)  # with its thought signatures
        results = []
        for call in reply.function_calls:
            print(f"{step}. {call.name}({call.args})")
            if call.name == "answer":
                print(call.args["text"])
                return
            results.append(
                types.Part(
                    function_response=types.FunctionResponse(
                        id=call.id, name=call.name, response=look_up_stock(**call.args)
                    )
                )
            )
        history.append(types.Content(role="user", parts=results))


if __name__ == "__main__":
    main()
