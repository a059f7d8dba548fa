"""The file against schema.json: unknown keys, wrong types, missing and impossible values, in words for people.

What is wrong is cut out of the data afterwards, so that the checks of meaning can go on over the rest
and every error of a file is reported at once.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from importlib import resources
from typing import Any

import orjson
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from gaiarouter.config.expand import Expanded
from gaiarouter.config.problems import Findings, Path, clip
from gaiarouter.config.units import spelling

_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
    "null": "null",
}
_HIDDEN = frozenset({"api_key", "store", "headers"})
_MAX_ERRORS = 1000


def schema_text() -> bytes:
    return resources.files("gaiarouter.config").joinpath("schema.json").read_bytes()


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean x?` for a name close to a known one, else nothing."""
    found = difflib.get_close_matches(name[:256], list(known), n=1, cutoff=0.6)
    return f"; did you mean `{found[0]}`?" if found else ""


def check_structure(
    expanded: Expanded, refused: Collection[Path], findings: Findings, *, schema: bytes | None = None
) -> set[Path]:
    """Reports what the schema refuses; returns all paths whose values cannot be used. schema: None is the table's.

    refused: those that are known already. What was reported once is not reported again for its type.
    """
    unusable = expanded.failed.union(refused)
    known = frozenset(unusable)
    for count, error in enumerate(_validator(schema or schema_text()).iter_errors(expanded.data)):
        if count == _MAX_ERRORS:
            findings.error((), f"more than {_MAX_ERRORS} errors: the rest is not shown")
            break
        path = tuple(error.absolute_path)
        if not any(path[:length] in known for length in range(len(path) + 1)):
            unusable |= _report(error, expanded.written, findings)
    return unusable


def without(data: Any, spoiled: Collection[Path], path: Path = ()) -> Any:
    """The data without the values at the spoiled paths; in lists they become None, so that positions stay."""
    match data:
        case dict():
            kept = {key: item for key, item in data.items() if (*path, key) not in spoiled}
            return {key: without(item, spoiled, (*path, key)) for key, item in kept.items()}
        case list():
            return [
                None if (*path, index) in spoiled else without(item, spoiled, (*path, index))
                for index, item in enumerate(data)
            ]
        case _:
            return data


@cache
def _validator(schema: bytes) -> Draft202012Validator:
    kind = extend(Draft202012Validator, {"pattern": _whole_pattern})  # type: ignore[no-untyped-call]  # the stubs lack it
    validator: Draft202012Validator = kind(orjson.loads(schema))
    return validator


def _whole_pattern(_validator: Any, pattern: str, instance: Any, _schema: Any) -> Iterable[ValidationError]:
    # Python's `$` also matches before a last line break, the specification's does not
    if isinstance(instance, str) and (instance.endswith("\n") or not re.search(pattern, instance)):
        yield ValidationError("no match")


def _report(error: ValidationError, written: Mapping[Path, str], findings: Findings) -> set[Path]:
    path: Path = tuple(error.absolute_path)
    schema: Mapping[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    instance: Any = error.instance
    required: Any = error.validator_value
    match error.validator:
        case "additionalProperties":
            return _report_unknown(path, instance, schema["properties"], findings)
        case "required":
            for key in required:
                if key not in instance:
                    findings.error(path, f"`{key}` is missing, expected {_expected(schema['properties'][key])}")
            return set()  # the rest of it can still be checked
        case "pattern" if "propertyNames" in error.schema_path:
            at = (*path, instance)
            findings.error(at, f"found the name {clip(instance)!r}, expected {_expected(schema)}", at_key=True)
            return {at}
        case "anyOf":
            findings.error(path, f"found neither `provider` nor `model`, expected {_expected(schema)}")
        case _:
            findings.error(path, _wrong_value(error, path, schema, written))
    return {path}


def _report_unknown(path: Path, instance: Mapping[str, Any], known: Mapping[str, Any], findings: Findings) -> set[Path]:
    unknown = {(*path, key): key for key in instance if key not in known}
    for at, key in unknown.items():
        near = nearest(key, known)
        words = near or f"; expected one of {', '.join(known)}"
        findings.error(at, f"unknown key{words}", at_key=True)
    return set(unknown)


def _wrong_value(error: ValidationError, path: Path, schema: Mapping[str, Any], written: Mapping[Path, str]) -> str:
    value: Any = error.instance
    limit: Any = error.validator_value
    unit = schema.get("x-unit")
    found = _found(value, path, written)
    if isinstance(unit, str) and (number := _bare_number(value)) is not None:
        return f"{found} without a unit, expected {_expected(schema)}: write {spelling(unit, number)}, if that is meant"
    match error.validator:
        case "enum":
            options = [str(option) for option in limit]
            near = nearest(value, options) if isinstance(value, str) else ""
            return f"{found}, expected one of {', '.join(options)}{near}"
        case "minItems" | "minProperties" | "minLength":
            return f"found nothing in it, expected {_expected(schema)}"
        case "maxItems" | "maxProperties" | "maxLength":
            return f"too long, expected at most {limit}"
        case "uniqueItems":
            return "something stands in it twice, expected each only once"
        case _:
            return f"{found}, expected {_expected(schema)}{_hint(value, path, schema, written)}"


def _hint(value: Any, path: Path, schema: Mapping[str, Any], written: Mapping[Path, str]) -> str:
    types = schema.get("type", ())
    if value is None:
        return "; fill it in, or take the line out"
    if path in written and "string" not in types:
        return "; a variable always gives text"
    if "boolean" in types and isinstance(value, str):
        return "; yes, no, on and off are plain text here"
    if types == "string" and not isinstance(value, dict | list) and "x-unit" not in schema:
        return "; put it in quotes"
    return ""


def _bare_number(value: Any) -> float | None:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,15}(\.[0-9]{1,9})?", value):
        return float(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None


def _found(value: Any, path: Path, written: Mapping[Path, str]) -> str:
    if isinstance(value, dict | list):
        return "found a mapping" if isinstance(value, dict) else "found a list"
    if value is None:
        return "found nothing"
    if _HIDDEN.intersection(path) and not isinstance(value, bool):
        return "found a value that is not shown"
    if isinstance(value, str):
        # the file's own words: what a variable holds may be a secret
        return f"found {clip(written.get(path, value))!r}"
    return f"found {str(value).lower() if isinstance(value, bool) else value}"


def _expected(schema: Mapping[str, Any]) -> str:
    if "title" in schema:
        return str(schema["title"])
    types = schema.get("type", "string")
    words = " or ".join(_WORDS[name] for name in ([types] if isinstance(types, str) else types))
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is not None and high is not None:
        return f"{words} from {low} to {high}"
    return words + (" that is not empty" if "minLength" in schema or "minItems" in schema else "")
