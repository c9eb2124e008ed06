"""Few-shot adaptation: making what draws heads one person's own."""
