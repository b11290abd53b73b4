from pathlib import Path

#: For the module search path of processes that are to make the bad loops.
HERE = str(Path(__file__).resolve().parent.parent)
