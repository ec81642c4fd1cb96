"""Which desk gets a request? The model must call one of the functions, with arguments that are valid."""

from connect import MODEL, client
from google.genai import types

DESKS = [
    types.FunctionDeclaration(
        name="refund",
        description="Give money back for an order.",
        parameters_json_schema={
            "type": "object",
            "properties": {"order": {"type": "integer", "minimum": 1, "maximum": 99999}},
            "required": ["order"],
        },
    ),
    types.FunctionDeclaration(
        name="call_back",
        description="Have a person phone the customer.",
        parameters_json_schema={
            "type": "object",
            "properties": {"when": {"type": "string", "enum": ["morning", "afternoon", "evening"]}},
            "required": ["when"],
        },
    ),
    types.FunctionDeclaration(name="close", description="Nothing has to be done."),
]
REQUESTS = [
    "I want my money back for order 4711.",
    "Please phone me tomorrow after work.",
    "All is fine, thanks.",
]


def main() -> None:
    gemini = client()
    config = types.GenerateContentConfig(
        max_output_tokens=100,
        tools=[types.Tool(function_declarations=DESKS)],
        tool_config=types.ToolConfig(
            function_calling_config=types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
        ),
    )
    for request in REQUESTS:
        answer = gemini.models.generate_content(model=MODEL, contents=request, config=config)
        call = answer.function_calls[0]
        print(f"{request}\n  {call.name}({call.args})")


if __name__ == "__main__":
    main()
