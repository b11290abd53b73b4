"""What the tests of the ecosystem share; `conftest.py` puts it on the import path."""
