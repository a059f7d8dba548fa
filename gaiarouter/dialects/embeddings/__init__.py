"""OpenAI's Embeddings, as callers speak it and as most providers do."""

from gaiarouter.dialects.embeddings.dialect import EmbeddingsDialect as EmbeddingsDialect
