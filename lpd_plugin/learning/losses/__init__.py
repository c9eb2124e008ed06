"""One loss a file; the formula stands in its docstring. `total.py` adds them up with their weights."""
