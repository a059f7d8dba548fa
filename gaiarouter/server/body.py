"""Reads a request's body within bounds of size and time. Called only once the caller is known."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from gaiarouter.errors import CallerGone, InvalidRequest, RequestRefused
from gaiarouter.server.arriving import ArrivingBody

_BASE_S: Final = 30.0
_BYTES_PER_S: Final = 16 * 1024
"""A body has `_BASE_S`, and the time it would take at this rate."""


async def read_body(request: web.Request, limit: int, *, base_s: float = _BASE_S) -> bytes:
    """The whole JSON body, at most `limit` bytes. Raises RequestRefused: 408, 413, 415, 417."""
    content = request.content
    if isinstance(content, ArrivingBody):
        return await _read_arriving(content, limit, base_s)
    check_head(request, limit)
    told = request.headers.get(hdrs.CONTENT_TYPE)
    if told is not None and told != "application/json" and not _is_json(request.content_type):
        raise RequestRefused("The Content-Type must be application/json.", status=415, code="unsupported_media_type")
    if content.is_eof():
        body = content.read_nowait(-1)
        if len(body) > limit:
            raise too_large(limit)
        return body
    await continued(request)
    return await _in_time(_read_all(request, limit), patience_s(request, limit, base_s=base_s))


async def _read_arriving(content: ArrivingBody, limit: int, base_s: float) -> bytes:
    """Its head is known to ask for nothing that would have to be refused, but for its length."""
    if content.length > limit:
        raise too_large(limit)
    if not content.missing:
        return content.read_nowait()
    return await _in_time(content.read(), _patience_s(content.length, base_s))


async def _in_time(reading: Awaitable[bytes], seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await reading
    except TimeoutError:
        raise late() from None
    except ConnectionError as error:
        raise CallerGone("The caller hung up while sending the body.") from error


async def continued(request: web.Request) -> None:
    """A caller that waits to be told that its body is wanted is told so."""
    if "Expect" in request.headers:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def patience_s(request: web.Request, limit: int, *, base_s: float = _BASE_S) -> float:
    """How long a body may take to come."""
    return _patience_s(request.content_length or limit, base_s)


def _patience_s(length: int, base_s: float) -> float:
    return base_s + length / _BYTES_PER_S


def late() -> RequestRefused:
    return RequestRefused("The body did not arrive in time.", status=408, code="request_timeout")


async def _read_all(request: web.Request, limit: int) -> bytes:
    parts, size = [], 0
    try:
        while part := await request.content.readany():
            size += len(part)
            if size > limit:
                raise too_large(limit)
            parts.append(part)
    except (HttpProcessingError, web.RequestPayloadError) as error:
        raise InvalidRequest("The body is not framed as its headers say.") from error
    return b"".join(parts)


def check_head(request: web.Request, limit: int) -> None:
    """Raises RequestRefused for a body that need not be read to be refused."""
    headers = request.headers
    expect = headers.get(hdrs.EXPECT, "")
    if expect and expect.lower() != "100-continue":
        raise RequestRefused("Only `Expect: 100-continue` is known.", status=417, code="expectation_failed")
    length = request.content_length
    if length is not None and length > limit:
        raise too_large(limit)
    if hdrs.CONTENT_ENCODING in headers and headers[hdrs.CONTENT_ENCODING].lower() != "identity":
        raise RequestRefused(
            "Compressed request bodies are not accepted: send the body as it is.",
            status=415,
            code="unsupported_media_type",
        )


def _is_json(content_type: str) -> bool:
    return content_type == "application/json" or content_type.endswith("+json")


def too_large(limit: int) -> RequestRefused:
    return RequestRefused(
        f"The body is larger than this gateway accepts: at most {limit} bytes.", status=413, code="request_too_large"
    )
