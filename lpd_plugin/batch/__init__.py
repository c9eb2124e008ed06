"""Many jobs, rendered in segments by many processes, each finished or reported whatever happens on the way."""
