"""Pure functions from arrays to numbers, each with its formula and where it comes from."""
