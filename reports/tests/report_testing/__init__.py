"""Summaries, run files and a reader of pages for the tests of the reports."""
