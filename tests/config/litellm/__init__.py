"""LiteLLM's configuration becomes ours: a file of theirs is written, and what comes of it is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from gaiarouter.config.litellm.table import Imported, convert


def imported(text: str, folder: Path) -> Imported:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    return convert(folder / "config.yaml")


def table_of(text: str, folder: Path) -> dict[str, Any]:
    table = yaml.safe_load(imported(text, folder).text)
    assert isinstance(table, dict)
    return table


def entry(name: str, model: str, **parameters: object) -> dict[str, Any]:
    return {"model_name": name, "litellm_params": {"model": model, **parameters}}


def written(folder: Path, *entries: dict[str, Any], **sections: object) -> dict[str, Any]:
    return table_of(yaml.safe_dump({"model_list": list(entries), **sections}, sort_keys=False), folder)
