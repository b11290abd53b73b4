"""The services of deploy/, started as processes on the loopback by their own command lines."""
