"""Providers, a row each: a new one is a new row and a line in tests/providers/test_endpoint.py.

Addresses and fields are from the vendors' documentation. A row says what is certain; a server that lacks an operation
is narrowed by `speaks:` in the configuration.
"""

from __future__ import annotations

from gaiarouter.dialects.chat.profile import ChatProfile
from gaiarouter.providers.base import Profile

_MOST = ("chat", "completions", "embeddings")
_ALL = ("chat", "responses", "completions", "embeddings")

_OPENAI = ChatProfile(
    limit_field="max_completion_tokens",
    developer_role=True,
    files=True,
    audio=True,
    parallel_field=True,
    custom_tools=True,
    stop_max=4,
    call_ids="40",
    prefill="refused",
    user_field="safety_identifier",
    extensions=False,
)
_OPENROUTER = ChatProfile(
    files=True, audio=True, parallel_field=True, effort="reasoning", echo="details", cache_control=True
)
_GROQ = ChatProfile(
    limit_field="max_completion_tokens",
    parallel_field=True,
    many_answers=False,
    drops=frozenset({"logit_bias", "logprobs", "top_logprobs"}),
    extensions=False,
)
_MISTRAL = ChatProfile(
    stream_options=False,
    parallel_field=True,
    seed_field="random_seed",
    choice_none=False,
    call_ids="9",
    bridge=True,
    prefill="marked",
    user_field=None,
    drops=frozenset({"logit_bias", "logprobs", "top_logprobs"}),
    extensions=False,
)
_DEEPSEEK = ChatProfile(json_schema=False, images=False, effort="thinking", echo="content", extensions=False)
_PERPLEXITY = ChatProfile(stream_options=False)
# a template of the model's own reads the conversation
_OWN_SERVER = ChatProfile(one_system=True)
_OLLAMA = ChatProfile(forced_choice=False, image_urls=False)

ROWS: tuple[Profile, ...] = (
    # any server that speaks like OpenAI is `dialect: openai` with a base_url
    Profile(
        "openai",
        "OpenAI",
        "https://api.openai.com/v1",
        speaks=(*_ALL, "count_tokens", "moderations", "images", "speech", "transcriptions"),
        sends_base64=True,
        chat=_OPENAI,
    ),
    Profile(
        "azure",
        "Azure OpenAI",
        None,
        root="/openai/v1",
        versioned_root="/openai/deployments/{model}",
        auth="api-key",
        speaks=(*_ALL, "images", "speech", "transcriptions"),
        sends_base64=True,
        chat=_OPENAI,
        known_as="azure.ai.openai",
    ),
    Profile(
        "openrouter",
        "OpenRouter",
        "https://openrouter.ai/api/v1",
        speaks=("chat", "responses", "completions", "rerank"),
        picks_providers=True,
        stateless=True,
        tells_cost=True,
        chat=_OPENROUTER,
    ),
    Profile(
        "anthropic",
        "Anthropic",
        "https://api.anthropic.com",
        root="/v1",
        auth="x-api-key",
        speaks=("messages", "count_tokens"),
    ),
    Profile(
        "google",
        "Google Gemini",
        "https://generativelanguage.googleapis.com",
        root="/v1beta",
        auth="x-goog-api-key",
        speaks=("gemini", "embeddings", "count_tokens"),
        known_as="gcp.gemini",
    ),
    Profile("groq", "Groq", "https://api.groq.com/openai/v1", speaks=("chat", "speech", "transcriptions"), chat=_GROQ),
    # stream_options is no field of theirs; usage comes in the last chunk unasked
    Profile(
        "mistral",
        "Mistral",
        "https://api.mistral.ai/v1",
        asks_usage=False,
        speaks=("chat", "embeddings", "moderations", "transcriptions"),
        chat=_MISTRAL,
        known_as="mistral_ai",
    ),
    Profile("deepseek", "DeepSeek", "https://api.deepseek.com", chat=_DEEPSEEK),
    Profile("xai", "xAI", "https://api.x.ai/v1", speaks=("chat", "responses", "images"), known_as="x_ai"),
    Profile(
        "together",
        "Together AI",
        "https://api.together.xyz/v1",
        speaks=(*_MOST, "images", "speech", "transcriptions", "rerank"),
    ),
    Profile("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1", speaks=(*_MOST, "rerank")),
    Profile("cerebras", "Cerebras", "https://api.cerebras.ai/v1", speaks=("chat", "completions")),
    # every chunk carries usage
    Profile("perplexity", "Perplexity", "https://api.perplexity.ai", asks_usage=False, chat=_PERPLEXITY),
    Profile("huggingface", "Hugging Face Inference Providers", "https://router.huggingface.co/v1"),
    # servers of one's own; the first two have a usual place on the same machine
    Profile("ollama", "Ollama", "http://127.0.0.1:11434/v1", root="/v1", speaks=_MOST, chat=_OLLAMA),
    Profile("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1", root="/v1", speaks=_MOST),
    Profile("vllm", "vLLM", None, speaks=(*_ALL, "transcriptions", "rerank"), chat=_OWN_SERVER),
    Profile("sglang", "SGLang", None, speaks=(*_MOST, "rerank"), chat=_OWN_SERVER),
    Profile("llamacpp", "llama.cpp server", None, speaks=(*_MOST, "rerank"), chat=_OWN_SERVER),
    # answers by itself, offline
    Profile("echo", "the built-in demo", None, auth="none", transport="echo"),
)
