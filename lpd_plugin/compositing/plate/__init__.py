"""The clean plate: what is behind the head."""
