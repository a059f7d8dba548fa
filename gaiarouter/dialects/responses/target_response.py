"""A whole Response as a canonical answer."""

from __future__ import annotations

import msgspec
from msgspec import Raw, Struct

from gaiarouter.canonical.events import Aside, CanonicalAnswer, Choice
from gaiarouter.dialects.responses import wire
from gaiarouter.dialects.responses.errors import read_error_object
from gaiarouter.dialects.responses.fields import DIALECT
from gaiarouter.dialects.responses.plan import AnswerPlan
from gaiarouter.dialects.responses.target_content import finish_of, read_item
from gaiarouter.dialects.responses.usage import read_usage
from gaiarouter.errors import BadAnswer, Failed, UpstreamError

ENDED = ("completed", "incomplete")
_READ = frozenset(
    {"id", "object", "created_at", "model", "output", "status", "incomplete_details", "error", "usage", "completed_at"}
)


class Head(Struct, frozen=True):
    id: str | None = None
    model: str | None = None
    created_at: float | None = None


class _Output(Struct):
    output: list[Raw] | None = None


decode_head = msgspec.json.Decoder(Head).decode
decode_output = msgspec.json.Decoder(_Output).decode
decode_members = msgspec.json.Decoder(dict[str, Raw]).decode


def decode_answer(body: bytes, plan: AnswerPlan) -> CanonicalAnswer:
    """`body`: of a 200. Raises BadAnswer, or the error object that it holds."""
    try:
        if not body.isascii():
            body.decode()
        response, head, output = wire.decode_response(body), decode_head(body), decode_output(body).output
        if (error := failure_of(response)) is not None:
            raise error
        if output is None:
            raise BadAnswer("The provider's answer holds no output")
        parts = tuple(part for raw in output for part in read_item(raw, plan))
        asides = asides_of(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadAnswer("The provider's answer is not of the Responses format") from error
    return CanonicalAnswer(
        id=head.id or "",
        model=head.model or "",
        created=None if head.created_at is None else int(head.created_at),
        choices=(Choice(0, parts, finish_of(response, parts)),),
        usage=read_usage(response.usage, response.service_tier),
        asides=asides,
    )


def failure_of(response: wire.Response) -> UpstreamError | None:
    """What is wrong with an answer that is said to be at its end."""
    if wire.is_given(response.error) or response.status == "failed":
        return read_error_object(response.error)
    if response.status is not None and response.status not in ENDED:
        return Failed("The provider's answer was not completed", outcome="bad_response")
    return None


def asides_of(body: bytes | Raw) -> tuple[Aside, ...]:
    members = decode_members(body)
    return tuple(Aside(name, raw, DIALECT) for name, raw in members.items() if name not in _READ and wire.is_given(raw))
