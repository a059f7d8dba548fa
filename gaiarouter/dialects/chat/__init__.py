"""OpenAI's Chat Completions: requests, answers, streams and errors, both directions."""

from gaiarouter.dialects.chat.dialect import ChatDialect

__all__ = ["ChatDialect"]
