"""Anthropic's Messages: requests and answers, as targets speak it."""
