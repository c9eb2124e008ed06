"""Judges from outside: nothing here was trained on them, and nothing but evaluation needs them."""
