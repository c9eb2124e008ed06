"""What became of a batch, for people and for programs."""
