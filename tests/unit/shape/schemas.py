"""Random schemas of the subset: most of them are sound, and all of them small."""

import random

NAMES = ["a", "name", "größe", 'quo"te', "back\\slash", "x y", "", "items", "🎉"]
PATTERNS = [
    "^[A-Z]{2}-[0-9]+$",
    "b+",
    "^(yes|no)?$",
    r"^\w+@\w+$",
    r"^[^\s\"]{1,5}$",
    r"\d",
    "^.{2,40}$",
    "^(a|b*c)+$",
]
FORMATS = [
    "date",
    "date-time",
    "time",
    "uuid",
    "ipv4",
    "ipv6",
    "email",
    "duration",
    "uri",
    "hostname",
    "other",
]
VALUES = ["x", "zwei\n", 1, -2.5, True, False, None, [], [1, "a"], {"k": [None]}, 10**14]


class Maker:
    """Makes schemas from one source of randomness."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def document(self):
        schema = self.schema(3)
        if self.rng.random() < 0.4:
            schema["$defs"] = {"D": self.schema(2), "E": self.schema(1)}
        return schema

    def schema(self, depth):
        kinds = ["string", "number", "integer", "boolean", "enum", "null", "string", "integer"]
        if depth:
            kinds += ["object", "array", "object", "array", "anyOf", "allOf", "several", "free"]
            kinds += ["ref"] * (depth < 3)
        schema = getattr(self, "_" + self.rng.choice(kinds))(depth)
        if self.rng.random() < 0.2:
            schema["description"] = "what it is"
        return schema

    def maybe(self, schema, name, make, chance=0.4):
        if self.rng.random() < chance:
            schema[name] = make()

    def _string(self, depth):
        schema = {"type": "string"}
        kind = self.rng.choice(["plain", "length", "length", "pattern", "format"])
        if kind == "length":
            low = self.rng.choice([0, 1, 3, 70, 1200])
            self.maybe(schema, "minLength", lambda: low)
            self.maybe(
                schema, "maxLength", lambda: low + self.rng.choice([0, 1, 7, 40, 100, 5000, 123456]), 0.8
            )
        elif kind == "pattern":
            schema["pattern"] = self.rng.choice(PATTERNS)
        elif kind == "format":
            schema["format"] = self.rng.choice(FORMATS)
        return schema

    def _bounds(self, schema, make):
        low, high = sorted([make(), make()])
        self.maybe(schema, self.rng.choice(["minimum", "exclusiveMinimum"]), lambda: low)
        self.maybe(schema, self.rng.choice(["maximum", "exclusiveMaximum"]), lambda: high)
        return schema

    def _number(self, depth):
        places = self.rng.choice([0, 1, 3, 12])
        size = self.rng.choice([1, 1, 20, 10**6, 10**12])
        return self._bounds({"type": "number"}, lambda: round(self.rng.uniform(-size, size), places))

    def _integer(self, depth):
        size = self.rng.choice([3, 20, 1000, 10**9, 10**17])
        schema = self._bounds({"type": "integer"}, lambda: self.rng.randint(-size, size))
        self.maybe(schema, "multipleOf", lambda: self.rng.choice([1, 2, 10, 100]), 0.2)
        return schema

    def _boolean(self, depth):
        return {"type": "boolean"}

    def _null(self, depth):
        return {"type": "null"}

    def _enum(self, depth):
        values = self.rng.sample(VALUES, self.rng.randint(1, 5))
        return {"enum": values} if self.rng.random() < 0.7 else {"const": values[0]}

    def _ref(self, depth):
        return {"$ref": self.rng.choice(["#/$defs/D", "#/$defs/E", "#"])}

    def _free(self, depth):
        return {}

    def _several(self, depth):
        return {"type": self.rng.sample(["string", "null", "integer", "boolean", "array"], 2), "maxLength": 9}

    def _anyOf(self, depth):  # noqa: N802
        schema = {"anyOf": [self.schema(depth - 1) for _ in range(self.rng.randint(1, 3))]}
        if self.rng.random() < 0.2:
            schema["type"] = self.rng.choice(["string", "object"])
        return schema

    def _allOf(self, depth):  # noqa: N802
        return {"allOf": [self.schema(depth - 1) for _ in range(self.rng.randint(1, 2))]}

    def _object(self, depth):
        names = self.rng.sample(NAMES, self.rng.randint(0, 5))
        schema = {"type": "object"}
        if names:
            schema["properties"] = {name: self.schema(depth - 1) for name in names}
            schema["required"] = [name for name in names if self.rng.random() < 0.5]
            self.maybe(schema, "propertyOrdering", lambda: self.rng.sample(names, len(names) // 2), 0.3)
        self.maybe(schema, "minProperties", lambda: self.rng.randint(0, len(names) + 1), 0.2)
        self.maybe(schema, "maxProperties", lambda: self.rng.randint(0, len(names) + 1), 0.2)
        self.maybe(
            schema, "additionalProperties", lambda: self.rng.choice([False, True, {"type": "integer"}])
        )
        return schema

    def _array(self, depth):
        schema = {"type": "array"}
        self.maybe(schema, "items", lambda: self.schema(depth - 1), 0.8)
        self.maybe(schema, "prefixItems", lambda: [self.schema(depth - 1) for _ in range(2)], 0.2)
        low = self.rng.randint(0, 3)
        self.maybe(schema, "minItems", lambda: low)
        self.maybe(schema, "maxItems", lambda: low + self.rng.choice([0, 1, 5, 100]))
        return schema
