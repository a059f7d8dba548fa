"""Texts into vectors, in the one form that every dialect of it is read into."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Raw, Struct, field

from gaiarouter.canonical.usage import Usage

Encoding = Literal["float", "base64"]


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """inputs: one for each vector, a text or the tokens of one. task, title: what the vectors are for, as Gemini
    puts it.

    encoding: how the caller wants to read vectors. paths: as of CanonicalRequest. extras: members of the caller's that
    have no place here.
    """

    dialect: str
    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    encoding: Encoding = "float"
    task: str | None = None
    title: str | None = None
    end_user: str | None = None
    extras: Mapping[str, Raw] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)


class Vector(Struct, frozen=True):
    """numbers: a JSON array as the provider spelt it, or a base64 of little-endian float32."""

    numbers: Raw | str


class EmbeddingAnswer(Struct, frozen=True, kw_only=True):
    """vectors: in the order of the inputs. usage: None where the provider sent none."""

    model: str
    vectors: tuple[Vector, ...]
    usage: Usage | None = None
