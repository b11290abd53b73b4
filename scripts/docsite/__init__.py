"""Pages of the documentation that are made of the code: see scripts/docs_hooks.py."""
