"""Head crops with masks, wherever they lie, and how training draws from them."""
