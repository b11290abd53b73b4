"""What the tests of the CI pieces share."""
