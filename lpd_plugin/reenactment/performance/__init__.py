"""Shaping a performance: smoothed, stronger or weaker, moved, cross-faded, retimed; and shown."""
