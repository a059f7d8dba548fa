"""A table to play tests on, and a case to play."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from gaiarouter.config.loader import Loaded, load_mapping
from gaiarouter.config.settings import Settings
from gaiarouter.providers import known_kinds
from gaiarouter.rehearsal.cases import Case, read_suite

TABLE: dict[str, Any] = {
    "providers": {
        "main": {"dialect": "vllm", "base_url": "http://main.example/v1", "api_key": "${MAIN_KEY:-}"},
        "backup": {"dialect": "vllm", "base_url": "http://backup.example/v1"},
        "other": {"dialect": "anthropic", "api_key": ""},
    },
    "defaults": {
        "timeouts": {"connect": "5s", "first_byte": "20s", "total": "100s"},
        "retry": {"attempts": 3, "per_target": 2, "backoff": "250ms", "budget": "100%"},
        "breaker": {"failures": 3, "window": "30s", "cooldown": "15s"},
    },
    "routes": [
        {"match": "alone", "targets": [{"provider": "main", "model": "m"}]},
        {
            "match": "fb",
            "targets": [{"provider": "main", "model": "m"}],
            "fallbacks": [
                {"provider": "backup", "model": "b"},
                {"provider": "other", "model": "large", "on": ["context_length"]},
            ],
        },
        {
            "match": "shared",
            "targets": [
                {"provider": "main", "model": "m", "weight": 9},
                {"provider": "backup", "model": "b", "weight": 1},
            ],
        },
        {"match": "claude", "targets": [{"provider": "other", "model": "claude-sonnet-4-5"}]},
    ],
}


def loaded(table: dict[str, Any] | None = None) -> Loaded:
    return load_mapping(table or TABLE, known_kinds=known_kinds())


def settings(table: dict[str, Any] | None = None) -> Settings:
    found = loaded(table).settings
    assert found is not None
    return found


def case(folder: Path, **members: Any) -> Case:
    """One case, read from a file as a person would have written it."""
    file = folder / "a.test.yaml"
    test = {"name": "it", "model": "fb", "expect": {"status": 200}, **members}
    file.write_bytes(orjson.dumps({"tests": [test]}))
    suite = read_suite(file)
    assert suite.problems == ()
    return suite.cases[0]
