"""The head that is laid over the footage: where it sits, its colours, its sharpness and grain."""
