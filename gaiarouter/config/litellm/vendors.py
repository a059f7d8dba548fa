"""LiteLLM's names for providers (`azure/…`, `together_ai/…`) and what each is here.

Addresses and variables are those that LiteLLM 1.110 uses when its configuration does not say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final


@dataclass(frozen=True, slots=True)
class Vendor:
    """kind: ours. key: the variable that LiteLLM reads when no key is given. base_url: where our row has none."""

    name: str
    kind: str
    key: str | None = None
    base_url: str | None = None


def _rows() -> Mapping[str, Vendor]:
    rows: dict[str, Vendor] = {}
    for names, kind, key in _KNOWN:
        rows |= {name: Vendor(kind, kind, key) for name in names.split()}
    for name, base_url, key in _LIKE_OPENAI:
        rows[name] = Vendor(name.replace("_", "-"), "openai", key, base_url)
    return rows


_KNOWN: Final = (
    (
        "openai text-completion-openai custom_openai openai_like litellm_proxy",
        "openai",
        "OPENAI_API_KEY",
    ),
    ("azure azure_text", "azure", "AZURE_API_KEY"),
    ("anthropic", "anthropic", "ANTHROPIC_API_KEY"),
    ("gemini", "google", "GEMINI_API_KEY"),
    ("vertex_ai vertex_ai_beta", "vertex", None),
    ("openrouter", "openrouter", "OPENROUTER_API_KEY"),
    ("groq", "groq", "GROQ_API_KEY"),
    ("mistral", "mistral", "MISTRAL_API_KEY"),
    ("deepseek", "deepseek", "DEEPSEEK_API_KEY"),
    ("xai", "xai", "XAI_API_KEY"),
    ("together_ai", "together", "TOGETHERAI_API_KEY"),
    ("fireworks_ai", "fireworks", "FIREWORKS_API_KEY"),
    ("cerebras", "cerebras", "CEREBRAS_API_KEY"),
    ("perplexity", "perplexity", "PERPLEXITYAI_API_KEY"),
    ("huggingface", "huggingface", "HF_TOKEN"),
    ("ollama ollama_chat", "ollama", None),
    ("lm_studio", "lmstudio", None),
    ("hosted_vllm", "vllm", None),
)
"""LiteLLM's names, ours, and the variable of the key."""

_LIKE_OPENAI: Final = (
    ("nvidia_nim", "https://integrate.api.nvidia.com/v1", "NVIDIA_NIM_API_KEY"),
    ("deepinfra", "https://api.deepinfra.com/v1/openai", "DEEPINFRA_API_KEY"),
    ("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY"),
    ("nebius", "https://api.studio.nebius.ai/v1", "NEBIUS_API_KEY"),
    ("novita", "https://api.novita.ai/v3/openai", "NOVITA_API_KEY"),
    ("hyperbolic", "https://api.hyperbolic.xyz/v1", "HYPERBOLIC_API_KEY"),
    ("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY"),
    ("dashscope", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1", "DASHSCOPE_API_KEY"),
    ("volcengine", "https://ark.cn-beijing.volces.com/api/v3", "VOLCENGINE_API_KEY"),
    ("codestral", "https://codestral.mistral.ai/v1", "CODESTRAL_API_KEY"),
    ("baseten", "https://inference.baseten.co/v1", "BASETEN_API_KEY"),
    ("friendliai", "https://api.friendli.ai/serverless/v1", "FRIENDLI_TOKEN"),
    ("meta_llama", "https://api.llama.com/compat/v1", "LLAMA_API_KEY"),
    ("ai21_chat", "https://api.ai21.com/studio/v1", "AI21_API_KEY"),
    ("scaleway", "https://api.scaleway.ai/v1", "SCW_SECRET_KEY"),
    ("chutes", "https://llm.chutes.ai/v1", "CHUTES_API_KEY"),
    ("voyage", "https://api.voyageai.com/v1", "VOYAGE_API_KEY"),
    ("jina_ai", "https://api.jina.ai/v1", "JINA_AI_API_KEY"),
    ("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    ("cohere_chat", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
)
"""Who speaks Chat as OpenAI does, at its own address."""

VENDORS: Final = _rows()

CLOUDS: Final[Mapping[str, str]] = {
    "bedrock": "Amazon Bedrock signs requests with AWS keys, which the gateway does not do; it has an endpoint that "
    "speaks Chat with a key (a provider with `dialect: openai`)",
    "sagemaker": "SageMaker signs requests with AWS keys, which the gateway does not do",
    "sagemaker_chat": "SageMaker signs requests with AWS keys, which the gateway does not do",
    "watsonx": "watsonx.ai has a format of its own, which the gateway does not speak",
    "replicate": "Replicate has a format of its own, which the gateway does not speak",
}
"""Known, and not served: why."""

_BY_NAME: Final = (
    ("anthropic", ("claude-*",)),
    ("vertex_ai", ("gemini-*",)),
    (
        "openai",
        (
            *("gpt-*", "chatgpt-*", "o1", "o1-*", "o3", "o3-*", "o4-*", "codex-*", "ft:gpt-*", "text-embedding-*"),
            *("dall-e-*", "whisper-*", "tts-*", "omni-moderation-*", "text-moderation-*"),
        ),
    ),
)


def split_model(model: str, given: str | None) -> tuple[str | None, str]:
    """LiteLLM's provider, and the model's name there. given: `custom_llm_provider`, which wins over the prefix."""
    prefix, slash, rest = model.partition("/")
    if given is not None:
        return given, rest if slash and prefix == given else model
    if slash and (prefix in VENDORS or prefix in CLOUDS or prefix == "azure_ai"):
        return prefix, rest
    if not slash:
        return next((name for name, globs in _BY_NAME if any(fnmatchcase(model, glob) for glob in globs)), None), model
    return None, model
