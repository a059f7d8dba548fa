"""Writes gaiarouter/providers/catalogue.json from the data of the `genai-prices` package (MIT).

    python3 -m venv /tmp/catalogue && /tmp/catalogue/bin/pip install genai-prices
    /tmp/catalogue/bin/python .ci/update_catalogue.py

The package is needed here alone; it is no dependency of the gateway. Look over the difference before you commit it.
"""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parents[1] / "gaiarouter" / "providers" / "catalogue.json"

# kind of provider here: (its id there, what its chat models are called, what the API puts before the id)
SOURCES = {
    "openai": ("openai", r"(gpt-|chatgpt-|codex-|o\d)", ""),
    "anthropic": ("anthropic", r"claude-", ""),
    "google": ("google", r"(gemini|gemma)-", ""),
    "openrouter": ("openrouter", r"[^/]+/", ""),
    "groq": ("groq", r"", ""),
    "mistral": ("mistral", r"(mistral|codestral|devstral|magistral|ministral|pixtral|mixtral)", ""),
    "deepseek": ("deepseek", r"deepseek-", ""),
    "xai": ("x-ai", r"grok-", ""),
    "together": ("together", r"[^/]+/", ""),
    "fireworks": ("fireworks", r"", "accounts/fireworks/models/"),
    "cerebras": ("cerebras", r"", ""),
    "perplexity": ("perplexity", r"sonar", ""),
}
# where the source keeps what is long gone, only what has a known context length is current
ONLY_WITH_CONTEXT = frozenset({"openrouter", "together", "fireworks"})
NOT_CHAT = re.compile(
    r"embed|whisper|tts|transcri|image|audio|realtime|moderation|guard|ocr|voice|live|orpheus|imagen|veo|omni-|"
    r"robotics|banana|turbo-instruct|computer-use|translate|^claude-(v1|2)$|^gemini-(flash|pro|1\.0)|^llama2|-0301$",
    re.IGNORECASE,
)


def main() -> None:
    from genai_prices import data

    providers = {provider.id: provider for provider in data.providers}
    models = {
        kind: _models(providers[source].models, called, prefix, only_with_context=kind in ONLY_WITH_CONTEXT)
        for kind, (source, called, prefix) in SOURCES.items()
    }
    notice = f"From genai-prices {version('genai-prices')}, (c) Pydantic Services Inc., MIT licence."
    text = json.dumps({"notice": notice, "models": models}, indent=1, sort_keys=True)
    TARGET.write_text(text + "\n", encoding="utf-8")
    print(f"{TARGET.name}: {sum(map(len, models.values()))} models, {TARGET.stat().st_size} bytes")


def _models(found: Any, called: str, prefix: str, *, only_with_context: bool) -> dict[str, int | None]:
    return {
        prefix + model.id: model.context_window
        for model in found
        if re.match(called, model.id)
        and not model.deprecated
        and not NOT_CHAT.search(model.id)
        and ":" not in model.id  # price variants of the same model
        and not model.id.endswith(("-", "."))  # beginnings of fine-tuned models' names
        and (model.context_window is not None or not only_with_context)
    }


if __name__ == "__main__":
    main()
