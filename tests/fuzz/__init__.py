"""What reads bytes from outside, under a fuzzer: `python -m tests.fuzz` (docs/reliability.md tells more)."""
