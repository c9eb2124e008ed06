"""The footage's own pixels: regions of planar pictures read and blended without touching what is outside."""
