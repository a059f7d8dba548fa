"""The three vendors' own Python clients in front of a gateway, without retries."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import httpx2
import openai
from google import genai
from google.genai import types

from tests.gateway.running import RunningGateway


def openai_client(gateway: RunningGateway, key: str | None = None) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=gateway.url("/v1"), api_key=key or gateway.key, max_retries=0)


def anthropic_client(gateway: RunningGateway, key: str | None = None) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=gateway.url(""), api_key=key or gateway.key, max_retries=0)


@asynccontextmanager
async def google_client(
    gateway: RunningGateway, key: str | None = None, *, version: str | None = None
) -> AsyncIterator[Any]:
    """version: of the API in the address; None is the library's own default."""
    async with httpx2.AsyncClient() as http:
        options = types.HttpOptions(base_url=gateway.url(""), api_version=version, httpx_async_client=http)
        yield genai.Client(api_key=key or gateway.key, http_options=options).aio
