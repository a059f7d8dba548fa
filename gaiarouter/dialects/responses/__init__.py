"""OpenAI's Responses: requests, answers, streams and errors, both directions."""
