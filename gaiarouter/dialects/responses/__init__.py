"""OpenAI's Responses: requests, answers, streams and errors, both directions."""

from gaiarouter.dialects.responses.dialect import ResponsesDialect

__all__ = ["ResponsesDialect"]
