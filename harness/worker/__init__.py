"""The worker process: makes the loops of one plan and times them slot by slot."""
