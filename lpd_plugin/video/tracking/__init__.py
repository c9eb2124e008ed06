"""Finding heads, following them, and the track that comes of it."""
