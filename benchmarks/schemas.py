"""The schemas of ``schema_speed``: no instance of them has less than some 120 tokens, most have far more."""

from __future__ import annotations

from typing import Any

JsonSchema = dict[str, Any]

STRING: JsonSchema = {"type": "string"}
FIELDS = (
    "name", "surname", "street", "city", "country", "occupation", "employer", "hobby", "pet", "car", "food",
    "drink", "book", "film", "song", "sport", "school", "language", "weather", "fear", "wish", "secret",
    "friend", "motto", "memory", "journey", "garden", "kitchen", "winter", "summer",
)  # fmt: skip
ITEMS_MIN = 16


def record(**properties: JsonSchema) -> JsonSchema:
    """Return the schema of an object with exactly these members."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def several(items: JsonSchema, at_least: int) -> JsonSchema:
    """Return the schema of a list."""
    return {"type": "array", "items": items, "minItems": at_least}


FLAT = record(**dict.fromkeys(FIELDS, STRING))
NESTED = record(
    orders=several(
        record(
            customer=record(name=STRING, city=STRING),
            lines=several(record(product=STRING, count={"type": "integer"}, gift={"type": "boolean"}), 2),
        ),
        ITEMS_MIN,
    )
)
BOUNDED = record(
    stock=several(
        record(
            sku={"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
            count={"type": "integer", "minimum": 1, "maximum": 500},
            price={"type": "number", "minimum": 0, "exclusiveMaximum": 1000},
            state={"type": "string", "enum": ["new", "used", "broken", "sold out"]},
            since={"type": "string", "format": "date"},
            note={"type": "string", "minLength": 5, "maxLength": 40},
        ),
        ITEMS_MIN,
    )
)

SCHEMAS: dict[str, JsonSchema] = {
    "flat object of 30 strings": FLAT,
    "objects in lists in objects": NESTED,
    "bounds, pattern, format, enum": BOUNDED,
}


def fresh(number: int) -> JsonSchema:
    """Return a schema like ``BOUNDED`` that nobody has seen: ``number`` is in the name of a member."""
    items = BOUNDED["properties"]["stock"]["items"]["properties"]
    return record(**{f"stock_{number}": several(record(**items), ITEMS_MIN)})
