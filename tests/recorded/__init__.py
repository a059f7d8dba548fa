"""What providers really sent: README.md says where it is from, NOTICE.md under which licences."""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).parent
PROVIDERS = tuple(sorted(path.name.removesuffix(".jsonl.xz") for path in _FOLDER.glob("*.jsonl.xz")))


@dataclass(frozen=True, slots=True, eq=False)
class Interaction:
    """One request and its answer, as README.md describes a line."""

    id: str
    provider: str
    vendor: str | None
    endpoint: str
    asked_stream: bool
    features: frozenset[str]
    url_path: str
    request: Any
    status: int
    headers: dict[str, str]
    answer: Any
    answer_base64: str | None

    @property
    def is_stream(self) -> bool:
        """The answer is an event stream, not merely asked for as one."""
        return self.status < 400 and isinstance(self.answer, str)

    @property
    def body(self) -> bytes:
        """The answer's bytes. A JSON body was recorded parsed: its spelling here is ours."""
        if self.answer_base64 is not None:
            return base64.b64decode(self.answer_base64)
        if isinstance(self.answer, str):
            return self.answer.encode()
        return json.dumps(self.answer, ensure_ascii=False).encode()

    def __repr__(self) -> str:
        return f"{self.provider}-{self.id}"


OfOne = Callable[[Interaction], None]
OfMany = Callable[[list[Interaction]], None]


@cache
def _provider(name: str) -> tuple[Interaction, ...]:
    with lzma.open(_FOLDER / f"{name}.jsonl.xz", "rt", encoding="utf-8", newline="\n") as lines:
        return tuple(_interaction(json.loads(line)) for line in lines)


def _interaction(line: dict[str, Any]) -> Interaction:
    request, response = line["request"], line["response"]
    return Interaction(
        id=line["id"],
        provider=line["provider"],
        vendor=line.get("vendor"),
        endpoint=line["endpoint"],
        asked_stream=line["stream"],
        features=frozenset(line["features"]),
        url_path=request["url_path"],
        request=request.get("body"),
        status=response["status"],
        headers={name.lower(): value for name, value in response["headers"].items()},
        answer=response.get("body"),
        answer_base64=response.get("body_base64"),
    )


@cache
def interactions(
    provider: str | None = None,
    endpoint: str | None = None,
    *,
    ok: bool | None = None,
    stream: bool | None = None,
) -> tuple[Interaction, ...]:
    """Those of one provider or of all, in a fixed order. ok: status below 400. stream: the answer is a stream."""
    return tuple(
        each
        for name in ([provider] if provider else PROVIDERS)
        for each in _provider(name)
        if (endpoint is None or each.endpoint == endpoint)
        and (ok is None or ok == (each.status < 400))
        and (stream is None or stream == each.is_stream)
    )


def chat_interactions(*, ok: bool | None = None, stream: bool | None = None) -> tuple[Interaction, ...]:
    """What was said in OpenAI's Chat format, whoever answered: Cohere's and Ollama's own formats are others."""
    return tuple(
        each
        for each in interactions(endpoint="chat", ok=ok, stream=stream)
        if each.provider != "cohere" and not (each.provider == "ollama" and each.url_path.startswith("/api/"))
    )


def every(
    cases: Iterable[Interaction],
) -> Callable[[Callable[[Interaction], None]], Callable[[list[Interaction]], None]]:
    """Runs a test with each of them. Those of one provider are one case to pytest, which takes longer to begin and end
    a case than most of these last; one that fails is named in a note below the failure."""
    batches: dict[str, list[Interaction]] = {}
    for case in cases:
        batches.setdefault(case.provider, []).append(case)

    def of_each(test: OfOne) -> OfMany:
        @pytest.mark.parametrize("batch", batches.values(), ids=batches.keys())
        def of_a_provider(batch: list[Interaction]) -> None:
            for case in batch:
                with _named(case):
                    test(case)

        of_a_provider.__name__, of_a_provider.__doc__ = test.__name__, test.__doc__
        return of_a_provider

    return of_each


@contextmanager
def _named(case: Interaction) -> Iterator[None]:
    try:
        yield
    except BaseException as error:
        error.add_note(f"with {case!r}")
        raise
