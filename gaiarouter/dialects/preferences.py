"""What callers may say about who is to answer, in any format: `models` and `provider`.

They are the gateway's to read and go to no provider, save to one that chooses among providers itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Annotated, Final, Literal, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct

from gaiarouter.dialects.members import JsonObject
from gaiarouter.dialects.mistakes import wrong_field
from gaiarouter.errors import InvalidRequest

_Decoded = TypeVar("_Decoded")
_UNKNOWN = re.compile(r"unknown field `([^`]*)`(?: - at `\$\.?([^`]*)`)?")

MEMBERS: Final = ("models", "provider")
Sort = Literal["price", "throughput", "latency"]

_Name = Annotated[str, Meta(min_length=1, max_length=256)]
_Names = Annotated[list[_Name], Meta(max_length=64)]
_Models = Annotated[list[_Name], Meta(max_length=16)]
_Dollars = Annotated[float, Meta(ge=0)] | Annotated[str, Meta(pattern=r"^[0-9]{1,12}(\.[0-9]{1,12})?$")]


class _MaxPrice(Struct, forbid_unknown_fields=True, gc=False):
    prompt: _Dollars | None = None
    completion: _Dollars | None = None
    request: _Dollars | None = None
    image: _Dollars | None = None


class _Sorting(Struct, gc=False):
    by: Sort | None = None


class _Provider(Struct, forbid_unknown_fields=True, gc=False):
    order: _Names | None = None
    only: _Names | None = None
    ignore: _Names | None = None
    sort: Sort | _Sorting | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    max_price: _MaxPrice | None = None
    # what only a router of providers knows of those behind it
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    quantizations: _Names | None = None
    preferred_min_throughput: Raw | None = None
    preferred_max_latency: Raw | None = None

    def demands(self) -> tuple[str, ...]:
        """Those that nobody else can keep."""
        said = {
            "data_collection": self.data_collection == "deny",
            "zdr": self.zdr,
            "enforce_distillable_text": self.enforce_distillable_text,
            "quantizations": self.quantizations,
        }
        return tuple(f"provider.{name}" for name, wanted in said.items() if wanted)


_decode_models = msgspec.json.Decoder(_Models | None).decode
_decode_provider = msgspec.json.Decoder(_Provider | None).decode


class Preferences(Struct, frozen=True, kw_only=True):
    """models: to be asked when the request's own is not to be had. order, only, ignore: names of providers; None where
    nothing was said.

    prompt_price, completion_price: the highest, in US dollars for a million tokens. demands: paths of what only a
    router of providers can keep. provider: the member as the caller wrote it. ours: the names, in lower case, that mean
    a provider of the routes asked; empty until those are known.
    """

    models: tuple[str, ...] = ()
    order: tuple[str, ...] | None = None
    only: tuple[str, ...] | None = None
    ignore: tuple[str, ...] | None = None
    sort: Sort | None = None
    allow_fallbacks: bool = True
    require_parameters: bool = False
    prompt_price: float | None = None
    completion_price: float | None = None
    demands: tuple[str, ...] = ()
    provider: Raw | None = None
    ours: Collection[str] = frozenset()

    def passed_on(self) -> bytes | None:
        """`provider` as it goes to a router of providers: without the names that mean ours. None where nothing is left
        of it."""
        if self.provider is None:
            return None
        members = JsonObject(bytes(self.provider))
        values: dict[str, bytes] = {}
        drop: list[str] = []
        for name, names in (("order", self.order), ("only", self.only), ("ignore", self.ignore)):
            left = [each for each in names or () if each.casefold() not in self.ours]
            if left:
                values[name] = msgspec.json.encode(left)
            elif name in members.members:
                drop.append(name)
        told = members.patched(values, drop)
        return told if JsonObject(told).members else None


def read_preferences(models: Raw | None, provider: Raw | None) -> Preferences | None:
    """The two members of a request as they were given; None where neither says anything. Raises InvalidRequest with the
    path of what is wrong."""
    names = _decoded(_decode_models, models, "models") if models is not None else None
    said = _decoded(_decode_provider, provider, "provider") if provider is not None else None
    if not names and said is None:
        return None
    said = said or _Provider()
    price = said.max_price or _MaxPrice()
    return Preferences(
        models=tuple(names or ()),
        order=_named(said.order),
        only=_named(said.only),
        ignore=_named(said.ignore),
        sort=said.sort.by if isinstance(said.sort, _Sorting) else said.sort,
        allow_fallbacks=said.allow_fallbacks is not False,
        require_parameters=bool(said.require_parameters),
        prompt_price=None if price.prompt is None else float(price.prompt),
        completion_price=None if price.completion is None else float(price.completion),
        demands=said.demands(),
        provider=provider if said is not None else None,
    )


def _decoded(decode: Callable[[Raw], _Decoded], raw: Raw, path: str) -> _Decoded:
    try:
        return decode(raw)
    except msgspec.ValidationError as error:
        if unknown := _UNKNOWN.search(str(error)):
            inside = ".".join(step for step in (path, unknown[2], unknown[1]) if step)
            raise InvalidRequest(f"`{inside}` is not known", code="invalid_request", param=inside) from None
        raise wrong_field(str(error), inside=path) from None
    except RecursionError:
        raise InvalidRequest(f"`{path}` is nested too deeply", code="invalid_json", param=path) from None


def _named(names: list[str] | None) -> tuple[str, ...] | None:
    return None if names is None else tuple(names)
