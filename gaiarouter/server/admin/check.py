"""Bodies and queries against their schemas. Every wrong field is named, in one answer."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.validators import extend

from gaiarouter.dialects.redaction import redact
from gaiarouter.errors import InvalidRequest
from gaiarouter.server.admin.operation import Schema

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_INTEGER: Final = re.compile(r"-?[0-9]{1,12}")
_MOST_ERRORS: Final = 32
_MOST_NAME: Final = 256
_TYPES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}


class InvalidFields(InvalidRequest):
    """details: the path of each wrong field and what is wrong with it; the first is the error's `param`."""

    def __init__(self, details: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"`{path}` {what}" if path else what for path, what in details), param=details[0][0])
        self.details = details


class Checked:
    """A schema, made ready once."""

    def __init__(self, schema: Schema) -> None:
        self._validator = _VALIDATOR(schema, format_checker=_FORMATS)

    def check(self, value: object) -> None:
        """Raises InvalidFields."""
        found: dict[tuple[str, str], None] = {}
        for error in self._validator.iter_errors(value):
            found.update(dict.fromkeys(_words(error)))
            if len(found) >= _MOST_ERRORS:
                break
        if found:
            raise InvalidFields(list(found))


def read_json(body: bytes) -> object:
    """Raises InvalidRequest."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(
            f"The body is not valid JSON: line {error.lineno}, column {error.colno}.", code="invalid_json"
        ) from error


def read_query(sent: Iterable[tuple[str, str]], parameters: Mapping[str, Schema]) -> dict[str, Any]:
    """The parameters by name, those that are whole numbers as such. Raises InvalidFields for one sent twice."""
    found: dict[str, Any] = {}
    for name, text in sent:
        if name in found:
            raise InvalidFields([(_clip(name), "was sent twice")])
        whole = parameters.get(name, {}).get("type") == "integer" and _INTEGER.fullmatch(text)
        found[name] = int(text) if whole else text
    return found


def parse_time(text: str) -> int:
    """RFC 3339 as microseconds since the epoch. Raises ValueError."""
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    try:
        return (datetime.fromisoformat(text.upper()) - _EPOCH) // timedelta(microseconds=1)
    except OverflowError as error:
        raise ValueError(text) from error


def _formats() -> FormatChecker:
    formats = FormatChecker(formats=())
    formats.checks("date-time", raises=ValueError)(_is_time)
    return formats


def _is_time(value: object) -> bool:
    return not isinstance(value, str) or parse_time(value) is not None


def _whole_pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    # Python's `$` also matches before a last line break, the specification's does not
    if isinstance(instance, str) and (instance.endswith("\n") or not re.search(pattern, instance)):
        yield ValidationError("no match")


_VALIDATOR: Final = extend(Draft202012Validator, {"pattern": _whole_pattern})  # type: ignore[no-untyped-call]  # the stubs lack it
_FORMATS: Final = _formats()


def _words(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Path and what is wrong there, of each field that one violation is about."""
    path = _path(error.absolute_path)
    schema: Schema = error.schema if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    expected: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            known = list(schema.get("properties", ()))
            for name in [name for name in instance if name not in known]:
                yield _join(path, _clip(name)), "is not known" + _nearest(name, known)
        case "required":
            for name in expected:
                if name not in instance:
                    yield _join(path, name), "is missing"
        case "type":
            wanted = [expected] if isinstance(expected, str) else expected
            yield path, f"must be {' or '.join(_TYPES[name] for name in wanted)}, not {_type_of(instance)}"
        case "enum":
            yield (
                path,
                f"must be one of {', '.join(str(value) for value in expected if value is not None)}",
            )
        case "pattern" | "format" if "title" in schema:
            yield path, f"must be {schema['title']}"
        case "minimum" | "maximum":
            yield path, f"must be from {schema.get('minimum', '-∞')} to {schema.get('maximum', '∞')}"
        case "minLength" | "maxLength":
            yield path, f"must have {schema.get('minLength', 0)} to {schema['maxLength']} characters"
        case "minItems" | "maxItems":
            yield path, f"must have {schema.get('minItems', 0)} to {schema['maxItems']} entries"
        case "minProperties":
            yield path, "must have at least one member"
        case "uniqueItems":
            yield path, "must not name the same twice"
        case other:
            yield path, f"does not satisfy `{other}`"


def _path(steps: Iterable[str | int]) -> str:
    text = ""
    for step in steps:
        text = f"{text}[{step}]" if isinstance(step, int) else _join(text, _clip(step))
    return text


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name[:64], known, n=1)
    return f"; did you mean `{near[0]}`?" if near else ""


def _clip(name: str) -> str:
    """Fit for a message: short, printable, and no key that went into the wrong place."""
    shown = redact(name[:_MOST_NAME])
    shown = shown if len(shown) <= 64 else shown[:64] + "…"
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in shown)


def _type_of(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case str():
            return "a string"
        case int():
            return "an integer"
        case float():
            return "a number"
        case list():
            return "an array"
        case _:
            return "an object"
