"""From a head's mask to the alpha of the composite: refinement, edge, steadiness."""
