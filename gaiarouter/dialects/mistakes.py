"""A caller's field of the wrong type, in our words: where it is, what was expected, what was found."""

from __future__ import annotations

import re

from gaiarouter.errors import InvalidRequest

# msgspec tells what is wrong where in its text alone, and always in these words
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_EXPECTED = re.compile(r"Expected `([^`]+)`(?:, got `(\w+)`)?")
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
_JSON_NAMES = {
    "array": "an array",
    "object": "an object",
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a boolean",
    "null": "null",
}


def wrong_field(text: str, *, inside: str = "") -> InvalidRequest:
    """`text`: of a msgspec.ValidationError. The message holds nothing of what the caller sent.

    inside: the path of what was decoded, where that was not the whole body.
    """
    at = _AT.search(text)
    path = ".".join(step for step in (inside, at.group(1) if at else "") if step).replace(".[", "[")
    if missing := _MISSING.search(text):
        path = f"{path}.{missing.group(1)}".lstrip(".")
        return InvalidRequest(f"`{path}` is missing", code="missing_field", param=path)
    where = f"`{path}`" if path else "The body"
    expected = _EXPECTED.search(text)
    if expected is None:
        return InvalidRequest(f"{where} is out of range", code="invalid_request", param=path or None)
    wanted = " or ".join(_JSON_NAMES[name] for name in expected.group(1).split(" | ") if name in _JSON_NAMES)
    found = _JSON_NAMES.get(expected.group(2), "something else")
    return InvalidRequest(f"{where} must be {wanted}, not {found}", code="invalid_type", param=path or None)
