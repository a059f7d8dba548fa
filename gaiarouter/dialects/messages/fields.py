"""What becomes of each slot of the canonical form in a Messages request.

`map` and `adapt` are the encoder's work, which reports what it adapts. `drop` and `reject` are done here, for every
slot the caller gave a value that means something.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import Raw, Struct

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import CanonicalRequest, Extra


class Rule(Struct, frozen=True):
    """neutral: values that ask for nothing and are dropped without a word. blind: as of Losses.drop."""

    kind: Literal["map", "adapt", "drop", "reject"]
    why: str = ""
    neutral: tuple[object, ...] = ()
    blind: bool = False


_MAP = Rule("map")
_NO_COUNTERPART = "the model's provider has no such setting"


def _dropped(*neutral: object) -> Rule:
    return Rule("drop", _NO_COUNTERPART, neutral)


SLOTS: Mapping[str, Rule] = {
    "model": _MAP,
    "stream": _MAP,
    "include_usage": _MAP,
    "instructions": _MAP,
    "turns": _MAP,
    "max_output_tokens": Rule("map", "above the model's maximum it is lowered to that"),
    "tools": Rule("map", "a tool that runs at another provider is refused"),
    "tool_choice": Rule("adapt", "a forced choice becomes `auto` where the model refuses it"),
    "parallel_tool_calls": _MAP,
    "thinking": Rule("adapt", "becomes what the model knows: adaptive thinking with an effort, or a budget"),
    "tier": Rule("adapt", "tiers differ between providers"),
    "end_user": Rule("adapt", "an address or a phone number is hashed", blind=True),
    "metadata": Rule("drop", "only `user_id` has a counterpart", blind=True),
    "cache": Rule("adapt", "lifetimes are 5 minutes or 1 hour, and there are at most 4 breakpoints"),
    "sampling.temperature": Rule("adapt", "1 is the highest; some models take none"),
    "sampling.top_p": Rule("adapt", "some models take none, or none beside `temperature`"),
    "sampling.top_k": Rule("adapt", "some models take none"),
    "sampling.min_p": _dropped(0),
    "sampling.frequency_penalty": _dropped(0),
    "sampling.presence_penalty": _dropped(0),
    "sampling.repetition_penalty": _dropped(1),
    "sampling.seed": _dropped(),
    "sampling.stop": Rule("adapt", "empty and blank sequences are left out"),
    "sampling.n": Rule("reject", "the model's provider gives one answer to a request", (1,)),
    "sampling.logit_bias": _dropped(Raw(b"{}")),
    "sampling.logprobs": _dropped(False),
    "sampling.top_logprobs": _dropped(0),
    "output.format": Rule("adapt", "`json_object` becomes an instruction; older models are made to call a tool"),
    "output.modalities": Rule("reject", "the model's provider answers with text only", (("text",),)),
    "output.audio": Rule("reject", "the model's provider answers with text only"),
    "output.verbosity": _dropped("medium"),
    # of parts and tools
    "turn.name": Rule("drop", "a message has no author's name"),
    "part.text": _MAP,
    "part.refusal": Rule("map", "as text"),
    "part.image": Rule("map", "JPEG, PNG, GIF and WebP"),
    "part.image.detail": Rule("drop", _NO_COUNTERPART, blind=True),
    "part.audio": Rule("reject", "no model of the provider hears"),
    "part.video": Rule("reject", "no model of the provider sees films"),
    "part.document": Rule("map", "PDF and text"),
    "part.document.filename": Rule("map", "as the title"),
    "part.document.file_ref": Rule("reject", "save handles of the provider's own"),
    "part.tool_call": _MAP,
    "part.tool_result": _MAP,
    "tool.strict": Rule("adapt", "constraints that the provider cannot enforce move into the description"),
    "tool.custom": Rule("adapt", "free text becomes one string argument"),
    "tool.web_search.size": Rule("drop", _NO_COUNTERPART, blind=True),
    "output.format.name": Rule("drop", _NO_COUNTERPART, blind=True),
    "output.format.strict": Rule("adapt", "the provider is always strict"),
}

FORWARDED_EXTRAS = frozenset(
    {"cache_control", "container", "context_management", "mcp_servers", "inference_geo", "speed"}
)
"""Members of the Messages format that callers of other formats may send by its own names."""


def account(request: CanonicalRequest, losses: Losses) -> None:
    """Drops or refuses what has no place in a Messages request. Raises InvalidRequest."""
    for slot, path in request.paths.items():
        rule = SLOTS[slot]
        if rule.kind in ("drop", "reject") and slot != "metadata" and _value(request, slot) not in rule.neutral:
            if rule.kind == "reject":
                raise refused(path, rule.why)
            losses.drop(path, rule.why, blind=rule.blind)
    for name, extra in request.extras.items():
        if name not in FORWARDED_EXTRAS:
            _leave_out(name, extra, losses)


def forwarded(request: CanonicalRequest) -> dict[str, Raw]:
    return {name: extra.value for name, extra in request.extras.items() if name in FORWARDED_EXTRAS}


def _leave_out(name: str, extra: Extra, losses: Losses) -> None:
    if extra.loss == "refuse":
        raise refused(name, _NO_COUNTERPART)
    losses.drop(name, _NO_COUNTERPART, blind=extra.loss == "blind")


def _value(request: CanonicalRequest, slot: str) -> Any:
    value: Any = request
    for name in slot.split("."):
        value = getattr(value, name)
    return value
