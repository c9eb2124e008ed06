"""The command line: `lpd`."""
