"""The comparison report: one page that says which loop for what, how sure that is, and why."""
