"""Certificates as docs/security.md has them made: one authority of the fleet's own, and a
certificate for all of its processes."""

from __future__ import annotations

from pathlib import Path


def write(folder: Path) -> Path:
    """ca.pem, cert.pem and key.pem of an authority that nobody else knows."""
    import trustme

    folder.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("loopgauge-fleet")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return folder
