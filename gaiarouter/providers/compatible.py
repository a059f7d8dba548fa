"""Providers, a row each: a new one is a new row and a line in tests/providers/test_endpoint.py.

Addresses and fields are from the vendors' documentation. A row says what is certain; a server that lacks an operation
is narrowed by `speaks:` in the configuration.
"""

from __future__ import annotations

from gaiarouter.providers.base import Profile

_MOST = ("chat", "completions", "embeddings")
_ALL = ("chat", "responses", "completions", "embeddings")

ROWS: tuple[Profile, ...] = (
    # any server that speaks like OpenAI is `dialect: openai` with a base_url
    Profile("openai", "OpenAI", "https://api.openai.com/v1", speaks=_ALL, sends_base64=True),
    Profile(
        "azure",
        "Azure OpenAI",
        None,
        root="/openai/v1",
        versioned_root="/openai/deployments/{model}",
        auth="api-key",
        speaks=_ALL,
        sends_base64=True,
    ),
    Profile("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", speaks=("chat", "responses", "completions")),
    Profile("anthropic", "Anthropic", "https://api.anthropic.com", root="/v1", auth="x-api-key", speaks=("messages",)),
    Profile(
        "google",
        "Google Gemini",
        "https://generativelanguage.googleapis.com",
        root="/v1beta",
        auth="x-goog-api-key",
        speaks=("gemini",),
    ),
    Profile("groq", "Groq", "https://api.groq.com/openai/v1"),
    # stream_options is no field of theirs; usage comes in the last chunk unasked
    Profile("mistral", "Mistral", "https://api.mistral.ai/v1", asks_usage=False, speaks=("chat", "embeddings")),
    Profile("deepseek", "DeepSeek", "https://api.deepseek.com"),
    Profile("xai", "xAI", "https://api.x.ai/v1", speaks=("chat", "responses")),
    Profile("together", "Together AI", "https://api.together.xyz/v1", speaks=_MOST),
    Profile("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1", speaks=_MOST),
    Profile("cerebras", "Cerebras", "https://api.cerebras.ai/v1", speaks=("chat", "completions")),
    # every chunk carries usage
    Profile("perplexity", "Perplexity", "https://api.perplexity.ai", asks_usage=False),
    Profile("huggingface", "Hugging Face Inference Providers", "https://router.huggingface.co/v1"),
    # servers of one's own; the first two have a usual place on the same machine
    Profile("ollama", "Ollama", "http://127.0.0.1:11434/v1", root="/v1", speaks=_MOST),
    Profile("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", root="/v1", speaks=_MOST),
    Profile("vllm", "vLLM", None, speaks=_ALL),
    Profile("sglang", "SGLang", None, speaks=_MOST),
    Profile("llamacpp", "llama.cpp server", None, speaks=_MOST),
    # answers by itself, offline
    Profile("echo", "the built-in demo", None, auth="none", transport="echo"),
)
