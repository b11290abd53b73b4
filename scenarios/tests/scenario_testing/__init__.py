"""What the tests of the scenarios share."""
