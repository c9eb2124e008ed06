"""The nodes, one file each. This folder is the package `lpd_plugin.nodes`: see lpd_plugin/graph/registry.py.

Files import the engine as `lpd_plugin...` and each other relatively, and nothing heavy at their top:
hosts import all of them when they start.
"""
