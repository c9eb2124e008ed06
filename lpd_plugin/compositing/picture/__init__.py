"""Where a head is in the footage: its square, who in it is the person, and layers on the footage's own samples."""
