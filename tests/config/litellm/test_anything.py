"""Whatever may stand in LiteLLM's file."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gaiarouter.config.loader import load
from gaiarouter.providers import known_kinds
from gaiarouter.routing.table import Table
from tests.config.litellm import entry, imported

names = st.sampled_from(["a", "b", "c", "gpt-*", "*", "x/*", "wei?rd[1]"])


models = st.sampled_from(
    ["openai/a", "groq/b", "gemini/*", "openai/*", "azure/d", "bedrock/x", "unknown", "vertex_ai/claude-1", "*"]
)


scalars = (
    st.none() | st.booleans() | st.integers(-5, 10**13) | st.floats() | st.sampled_from(["x", "os.environ/X", "5"])
)


parameters_ = st.dictionaries(
    st.sampled_from(["rpm", "tpm", "weight", "order", "timeout", "api_base", "api_key", "temperature", "num_retries"])
    | st.sampled_from(["extra_headers", "extra_body", "additional_drop_params", "input_cost_per_token", "odd"]),
    scalars | st.dictionaries(st.sampled_from(["k", "l"]), scalars, max_size=2) | st.lists(scalars, max_size=2),
    max_size=4,
)


rules_ = st.lists(st.dictionaries(names, st.lists(names, max_size=3), max_size=2), max_size=3)


files = st.fixed_dictionaries(
    {
        "model_list": st.lists(
            st.builds(lambda name, model, more: entry(name, model, **more), names, models, parameters_) | scalars,
            max_size=6,
        ),
        "router_settings": st.fixed_dictionaries(
            {},
            optional={
                "fallbacks": rules_,
                "context_window_fallbacks": rules_,
                "default_fallbacks": st.lists(names, max_size=2),
                "model_group_alias": st.dictionaries(names, names, max_size=2),
                "num_retries": scalars,
                "timeout": scalars,
                "cooldown_time": scalars,
                "allowed_fails": scalars,
                "redis_host": scalars,
                "routing_strategy": st.sampled_from(["least-busy", "nonsense"]),
            },
        ),
        "general_settings": st.fixed_dictionaries(
            {},
            optional={
                "master_key": scalars,
                "odd": scalars,
                "database_url": st.sampled_from([None, "os.environ/DATABASE_URL", "postgresql://u:p@h/d"]),
            },
        ),
    }
)


@settings(max_examples=150, deadline=None)
@given(files)
def test_whatever_it_says_what_comes_of_it_can_be_loaded(
    tmp_path_factory: pytest.TempPathFactory, file: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("any")
    done = imported(yaml.safe_dump(file), folder)
    said = [note for note in done.notes if "gaiarouter check" in note.sentence]
    (folder / "gaiarouter.yaml").write_text(done.text, encoding="utf-8")
    environ = dict.fromkeys(re.findall(r"\$\{(\w+)", done.text), "https://host.example/v1")
    environ |= {"DATABASE_URL": "postgresql://h/d"}
    loaded = load(folder / "gaiarouter.yaml", environ=environ, known_kinds=known_kinds())
    assert loaded.settings is not None or said, [str(error) for error in loaded.errors]
    if loaded.settings is not None:
        table = Table(loaded.settings)
        for route in yaml.safe_load(done.text)["routes"]:
            match = route["match"]
            for name in [match] if isinstance(match, str) else match:
                assert "*" in name or "[" in name or table.match(name) is not None
