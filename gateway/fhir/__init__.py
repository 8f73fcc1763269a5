"""WIRE: bytes to resources and back, profile checks, references, OperationOutcome."""
