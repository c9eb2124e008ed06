"""How good heads are, on people nobody trained on, by judges from outside: `lpd evaluate`."""
