"""Results for people to read: a table, and a page with curves, contact sheets and the worst frames."""
