"""Every field of a Completions request, and where its meaning lies in the canonical form. What has no slot continues a
text, which no conversation can."""

from __future__ import annotations

from gaiarouter.dialects.accounting import Field, slots

_SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty"),
    *("seed", "stop", "n", "logit_bias"),
)

TOP_LEVEL: dict[str, Field] = {
    **{name: Field(f"sampling.{name}") for name in _SAMPLING},
    **slots(
        model="model",
        prompt="turns",
        max_tokens="max_output_tokens",
        stream="stream",
        stream_options="include_usage",
        user="end_user",
    ),
    **dict.fromkeys(("suffix", "echo", "best_of", "logprobs"), Field(loss="refuse")),
}
