"""What the tests of the loops share; `conftest.py` puts it on the import path."""
