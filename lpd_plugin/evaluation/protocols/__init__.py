"""What is shown to whom: which person is driven by what, and what is then measured."""
