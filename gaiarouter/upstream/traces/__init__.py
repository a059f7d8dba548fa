"""Spans in the form of OpenTelemetry, and their way to a collector. Needs the extra `otel`: imported only where
`traces:` is set."""
