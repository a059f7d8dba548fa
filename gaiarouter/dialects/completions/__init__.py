"""OpenAI's Completions, the format before Chat: a text goes in, and what follows it comes out."""

from gaiarouter.dialects.completions.dialect import CompletionsDialect as CompletionsDialect
