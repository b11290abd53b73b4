"""Stored results against each other: two run files, or two loops of one (`bench compare`)."""
