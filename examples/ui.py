"""A user interface as JSON, by a nested schema: a tree that a program can draw without a check."""

import json

from connect import MODEL, client

LABEL = {"type": "string", "minLength": 1, "maxLength": 24}
SCHEMA = {
    "$defs": {
        "Widget": {
            "type": "object",
            "properties": {"kind": {"enum": ["text", "input", "button"]}, "label": LABEL},
            "required": ["kind", "label"],
        },
        "Section": {
            "type": "object",
            "properties": {
                "label": LABEL,
                "widgets": {
                    "type": "array",
                    "items": {"$ref": "#/$defs/Widget"},
                    "minItems": 1,
                    "maxItems": 3,
                },
            },
            "required": ["label", "widgets"],
        },
    },
    "type": "object",
    "properties": {
        "title": LABEL,
        "sections": {"type": "array", "items": {"$ref": "#/$defs/Section"}, "minItems": 1, "maxItems": 2},
    },
    "required": ["title", "sections"],
}


def main() -> None:
    gemini = client()
    answer = gemini.models.generate_content(
        model=MODEL,
        contents="Make a form to sign up for a newsletter: a name, an address, a button.",
        config={"response_mime_type": "application/json", "response_json_schema": SCHEMA},
    )
    form = json.loads(answer.text)
    print(f"== {form['title']}")
    for section in form["sections"]:
        print(f"-- {section['label']}")
        for widget in section["widgets"]:
            print(f"   [{widget['kind']}] {widget['label']}")


if __name__ == "__main__":
    main()
