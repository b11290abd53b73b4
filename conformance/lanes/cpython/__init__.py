"""CPython's own asyncio tests, imported from the installed test package, on another loop."""
