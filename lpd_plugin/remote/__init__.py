"""Graphs run by a ComfyUI that is already there: sent, watched, fetched. Nothing here imports a host."""
