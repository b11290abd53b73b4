"""Helpers for the manager's tests: a scripted worker, and runs made by hand."""
