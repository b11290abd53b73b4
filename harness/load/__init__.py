"""The load generator: the client side of every network scenario, in a process of its own.

The work is C++ (`harness/native/load/`, without the GIL); `protocol` says what it can be asked,
`client` starts it and talks to it, `main` is the process.
"""
