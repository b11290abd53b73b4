"""A static site over many runs: which loop for what, on which machine and Python, since when."""
