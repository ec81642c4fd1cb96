"""A user interface as JSON, by a recursive schema: a tree that a program can draw without a check."""

import json

from connect import MODEL, client

SCHEMA = {
    "$defs": {
        "Widget": {
            "type": "object",
            "properties": {
                "kind": {"enum": ["form", "text", "input", "button"]},
                "label": {"type": "string", "maxLength": 30},
                "children": {"type": "array", "items": {"$ref": "#/$defs/Widget"}, "maxItems": 4},
            },
            "required": ["kind", "label"],
        }
    },
    "$ref": "#/$defs/Widget",
}


def draw(widget: dict, depth: int = 0) -> None:
    print("  " * depth + f"[{widget['kind']}] {widget['label']}")
    for child in widget.get("children", []):
        draw(child, depth + 1)


def main() -> None:
    gemini = client()
    answer = gemini.models.generate_content(
        model=MODEL,
        contents="Make a form to sign up for a newsletter: a name, an address, a button.",
        config={
            "response_mime_type": "application/json",
            "response_json_schema": SCHEMA,
            "max_output_tokens": 400,
        },
    )
    if answer.candidates[0].finish_reason.value == "MAX_TOKENS":
        print("The form was cut off; ask with more tokens.")
        return
    draw(json.loads(answer.text))


if __name__ == "__main__":
    main()
