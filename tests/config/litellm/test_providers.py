"""Whom LiteLLM's deployments call, and with which key."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gaiarouter.config.litellm.vendors import VENDORS, split_model
from gaiarouter.providers import known_kinds
from tests.config.litellm import entry, imported, written


@pytest.mark.parametrize(
    ("model", "parameters", "provider"),
    [
        ("gpt-5-mini", {}, {"openai": {"api_key": "${OPENAI_API_KEY:-}"}}),
        ("claude-haiku-4-5", {}, {"anthropic": {"api_key": "${ANTHROPIC_API_KEY:-}"}}),
        ("ollama/llama3", {}, {"ollama": {}}),
        ("ollama_chat/llama3", {"api_base": "http://gpu:11434"}, {"ollama": {"base_url": "http://gpu:11434"}}),
        (
            "azure/prod",
            {"api_base": "https://east.openai.azure.com/", "api_key": "os.environ/AZ", "api_version": "2024-10-21"},
            {
                "azure": {
                    "base_url": "https://east.openai.azure.com",
                    "api_key": "${AZ:-}",
                    "api_version": "2024-10-21",
                }
            },
        ),
        (
            "azure_ai/claude-opus-4-5",
            {"api_base": "https://r.services.ai.azure.com", "api_key": "os.environ/AZ"},
            {
                "azure-anthropic": {
                    "dialect": "anthropic",
                    "base_url": "https://r.services.ai.azure.com/anthropic",
                    "api_key": "${AZ:-}",
                }
            },
        ),
        (
            "vertex_ai/gemini-2.5-pro",
            {"vertex_project": "os.environ/P", "vertex_location": "europe-west4"},
            {
                "vertex": {
                    "base_url": "https://europe-west4-aiplatform.googleapis.com/v1/projects/${P}/locations/europe-west4",
                    "api_key": "${VERTEX_ACCESS_TOKEN:-}",
                }
            },
        ),
        (
            "vertex_ai/claude-opus-4-5@20251101",
            {"vertex_project": "p", "vertex_location": "global"},
            {
                "vertex-anthropic": {
                    "base_url": "https://aiplatform.googleapis.com/v1/projects/p/locations/global",
                    "api_key": "${VERTEX_ACCESS_TOKEN:-}",
                }
            },
        ),
        (
            "hosted_vllm/qwen3",
            {"api_base": "http://vllm:8000/v1"},
            {"vllm": {"base_url": "http://vllm:8000/v1"}},
        ),
        (
            "openai/anything",
            {"api_base": "os.environ/HOUSE_API_BASE", "api_key": "os.environ/HOUSE_KEY", "organization": "org-1"},
            {
                "house": {
                    "dialect": "openai",
                    "base_url": "${HOUSE_API_BASE}",
                    "api_key": "${HOUSE_KEY:-}",
                    "headers": {"OpenAI-Organization": "org-1"},
                }
            },
        ),
        (
            "deepinfra/meta-llama/Llama-3",
            {},
            {
                "deepinfra": {
                    "dialect": "openai",
                    "base_url": "https://api.deepinfra.com/v1/openai",
                    "api_key": "${DEEPINFRA_API_KEY:-}",
                }
            },
        ),
        (
            "azure/",
            {"api_base": "https://e.example"},
            {"azure": {"base_url": "https://e.example", "api_key": "${AZURE_API_KEY:-}"}},
        ),
        (
            "fancy/model",
            {"custom_llm_provider": "openai", "api_base": "http://127.0.0.1:9/v1"},
            {"local": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1"}},
        ),
    ],
)
def test_who_serves(model: str, parameters: dict[str, object], provider: dict[str, Any], tmp_path: Path) -> None:
    assert written(tmp_path, entry("m", model, **parameters))["providers"] == provider


def test_prices_are_by_the_million(tmp_path: Path) -> None:
    costs = {"input_cost_per_token": 0.0000025, "output_cost_per_token": "1e-5", "cache_read_input_token_cost": 1.25e-6}
    table = written(tmp_path, entry("m", "openai/house-model", **costs))
    assert table["providers"]["openai"]["prices"] == [
        {"match": "house-model", "input": 2.5, "output": 10.0, "cache_read": 1.25}
    ]


def test_keys_in_the_file_go_nowhere(tmp_path: Path) -> None:
    done = imported(
        yaml.safe_dump(
            {
                "model_list": [
                    entry("m", "openai/a", api_key="sk-hush-1"),
                    entry("m", "openai/a", api_key="sk-hush-2"),
                    entry("m", "openai/a", api_key="os.environ/OPENAI_API_KEY"),
                ],
                "general_settings": {"master_key": "sk-hush-3", "database_url": "postgresql://u:hush-4@h/d"},
                "router_settings": {"redis_host": "h", "redis_password": "hush-5"},
                "environment_variables": {"A_SECRET": "hush-6"},
            }
        ),
        tmp_path,
    )
    assert "hush" not in done.text + done.report
    providers = yaml.safe_load(done.text)["providers"]
    assert {name: provider["api_key"] for name, provider in providers.items()} == {
        "openai": "${OPENAI_API_KEY:-}",
        "openai-2": "${OPENAI_2_API_KEY:-}",
        "openai-3": "${OPENAI_3_API_KEY:-}",
    }
    assert {"OPENAI_2_API_KEY", "OPENAI_3_API_KEY", "A_SECRET"} <= set(re.findall("[A-Z0-9_]{5,}", done.report))


def test_a_dollar_stays_one(tmp_path: Path) -> None:
    table = written(tmp_path, entry("m", "openai/a", extra_headers={"x-price": "5$"}))
    assert table["providers"]["openai"]["headers"] == {"x-price": "5$$"}


def test_credentials_and_included_files(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(
        yaml.safe_dump({"model_list": [entry("b", "groq/b", tags=["x"])]}), encoding="utf-8"
    )
    done = imported(
        yaml.safe_dump(
            {
                "include": ["models.yaml"],
                "model_list": [entry("a", "azure/a", litellm_credential_name="east")],
                "credential_list": [
                    {
                        "credential_name": "east",
                        "credential_values": {"api_base": "https://e.example", "api_key": "os.environ/E"},
                    }
                ],
            }
        ),
        tmp_path,
    )
    table = yaml.safe_load(done.text)
    assert table["providers"]["azure"] == {"base_url": "https://e.example", "api_key": "${E:-}"}
    assert [route["match"] for route in table["routes"]] == ["a", "b"]
    assert f"{tmp_path / 'models.yaml'}:" in done.report, "a note says in which file"


def test_every_vendor_has_a_kind_that_is_served() -> None:
    assert {vendor.kind for vendor in VENDORS.values()} <= set(known_kinds())


@pytest.mark.parametrize(
    ("model", "given_", "split"),
    [
        ("openai/gpt-4", None, ("openai", "gpt-4")),
        ("openrouter/openai/gpt-4", None, ("openrouter", "openai/gpt-4")),
        ("mistralai/mistral", None, (None, "mistralai/mistral")),
        ("openai/gpt-4", "openai", ("openai", "gpt-4")),
        ("org/model", "hosted_vllm", ("hosted_vllm", "org/model")),
        ("o3", None, ("openai", "o3")),
        ("opus", None, (None, "opus")),
    ],
)
def test_whose_model(model: str, given_: str | None, split: tuple[str | None, str]) -> None:
    assert split_model(model, given_) == split
