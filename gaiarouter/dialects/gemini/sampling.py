"""Sampling, output and tier as members of a Gemini request."""

from __future__ import annotations

from typing import Any

import msgspec

from gaiarouter.canonical.losses import Losses, refused
from gaiarouter.canonical.request import UNSAMPLED, CanonicalRequest

_MAX_STOPS = 5
_SEED_BITS = 31
_TIERS = {"default": "standard", "standard": "standard", "flex": "flex", "priority": "priority"}
_VOICES = frozenset(
    {
        *("zephyr", "puck", "charon", "kore", "fenrir", "leda", "orus", "aoede", "callirrhoe", "autonoe"),
        *("enceladus", "iapetus", "umbriel", "algieba", "despina", "erinome", "algenib", "rasalgethi"),
        *("laomedeia", "achernar", "alnilam", "schedar", "gacrux", "pulcherrima", "achird", "zubenelgenubi"),
        *("vindemiatrix", "sadachbia", "sadaltager", "sulafat"),
    }
)
_SOUND_FORMATS = frozenset({"pcm16", "pcm"})


class _Sound(msgspec.Struct):
    voice: str | None = None
    format: str | None = None


class SamplingWriter(msgspec.Struct):
    """has_tiers: the provider's address knows tiers of service."""

    request: CanonicalRequest
    losses: Losses
    has_tiers: bool

    def config(self) -> dict[str, Any]:
        """Members of `generationConfig`."""
        wish, request = self.request.sampling, self.request
        if wish == UNSAMPLED and request.max_output_tokens is None and request.output.modalities is None:
            return {}
        config: dict[str, Any] = {
            "maxOutputTokens": self._limit(),
            "temperature": wish.temperature,
            "topP": wish.top_p,
            "topK": wish.top_k,
            "presencePenalty": wish.presence_penalty,
            "frequencyPenalty": wish.frequency_penalty,
            "seed": self._seed(),
            "stopSequences": self._stop(),
            "candidateCount": self._count(),
            "responseLogprobs": wish.logprobs or None,
            "logprobs": wish.top_logprobs if wish.logprobs and wish.top_logprobs else None,
            **self._modalities(),
        }
        return {name: value for name, value in config.items() if value is not None}

    def tier(self) -> str | None:
        tier = self.request.tier
        if tier is None or tier == "auto":
            return None
        found = _TIERS.get(tier) if self.has_tiers else None
        if found is None:
            self.losses.drop(self._path("tier"), "the provider has no such tier")
        return found

    def _path(self, slot: str) -> str:
        return self.request.paths.get(slot, slot)

    def _limit(self) -> int | None:
        limit = self.request.max_output_tokens
        if limit is not None and limit < 1:
            raise refused(self._path("max_output_tokens"), "must be at least 1", code="invalid_value")
        return limit

    def _seed(self) -> int | None:
        seed = self.request.sampling.seed
        if seed is None or -(1 << _SEED_BITS) <= seed < 1 << _SEED_BITS:
            return seed
        self.losses.adapt(self._path("sampling.seed"), "a seed has 32 bits: its remainder is sent")
        return seed % (1 << _SEED_BITS)

    def _stop(self) -> list[str] | None:
        stop = self.request.sampling.stop
        if stop is None:
            return None
        kept = [sequence for sequence in stop if sequence][:_MAX_STOPS]
        if len(kept) < len(stop):
            reason = f"empty stop sequences are left out, and those after the first {_MAX_STOPS}"
            self.losses.adapt(self._path("sampling.stop"), reason)
        return kept or None

    def _count(self) -> int | None:
        count = self.request.sampling.n
        if count is not None and count > 1 and self.request.stream:
            raise refused(self._path("sampling.n"), "several answers at once cannot be streamed")
        return count if count != 1 else None

    def _modalities(self) -> dict[str, Any]:
        wanted = self.request.output.modalities
        if wanted is None or wanted == ("text",):
            return {}
        path = self._path("output.modalities")
        unknown = next((each for each in wanted if each not in ("text", "image", "audio")), None)
        if unknown is not None or not wanted:
            raise refused(path, "an answer is text, pictures or sound", code="invalid_value")
        if "audio" not in wanted:
            return {"responseModalities": [each.upper() for each in wanted]}
        return {"responseModalities": ["AUDIO"], "speechConfig": self._speech()}

    def _speech(self) -> dict[str, Any] | None:
        raw, path = self.request.output.audio, self._path("output.audio")
        if raw is None:
            return None
        try:
            sound = msgspec.json.decode(raw, type=_Sound)
        except msgspec.ValidationError:
            raise refused(path, "must be an object with a `voice` and a `format`", code="invalid_type") from None
        if sound.format is not None and sound.format not in _SOUND_FORMATS:
            raise refused(f"{path}.format", "the provider's models speak in `pcm16`")
        if sound.voice is None:
            return None
        if sound.voice.lower() not in _VOICES:
            raise refused(f"{path}.voice", "no voice of the provider's has this name")
        return {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": sound.voice.capitalize()}}}
