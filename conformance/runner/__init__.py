"""Runs cases, each in a process of its own, and says how each of them ended."""
