"""Parts of planar pictures: read, made smaller and blended in their own samples, without touching what lies outside."""
