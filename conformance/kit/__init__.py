"""What several cases need: peers, protocols, certificates. Standard library only: the stand-alone
script of `bench repro` carries the functions it uses with it."""
