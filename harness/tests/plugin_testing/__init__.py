"""Helpers for the tests of the pytest plugin: pytest in a process of its own."""
