"""An example of a JSON schema, made from the schema."""

from collections.abc import Mapping
from typing import Any

PREFIX = "#/components/schemas/"


def sample(schema: Mapping[str, Any], components: Mapping[str, Any]) -> Any:
    """A value that fits a schema of msgspec's; null wherever that does."""
    match schema:
        case {"$ref": str(name)}:
            return sample(components[name.removeprefix(PREFIX)], components)
        case {"anyOf": [*options]}:
            return None if {"type": "null"} in options else sample(options[0], components)
        case {"enum": [first, *_]} | {"const": first}:
            return first
        case {"type": "object", "properties": dict(fields)}:
            needed = schema.get("required", ())
            return {name: sample(one, components) for name, one in fields.items() if name in needed}
        case {"type": "array", "prefixItems": [*items]}:
            return [sample(one, components) for one in items]
        case {"type": "array", "items": dict(item)}:
            return [sample(item, components)]
        case {"type": str(kind)}:
            return {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "object": {}, "array": []}.get(
                kind
            )
        case _:
            return None
