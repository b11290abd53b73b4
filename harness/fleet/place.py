"""What `--on` and its companions say: where the workers are, and what is brought to them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loopgauge.harness.errors import BadPlace

FORMS = "Say --on dask://HOST:PORT (a scheduler that runs) or --on local:N (N workers here)"
LOCAL = "local:"
DASK = "dask://"
WORKERS_MOST = 256  # of local:N; more is a slip of the finger
# A name, an IPv4 address or an IPv6 address in brackets; no path, no user.
_HOST_PORT = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\s:/@\[\]]+):(\d{1,5})")


class Tls(msgspec.Struct, frozen=True):
    """Files as OpenSSL reads them; Dask takes the same for its schedulers and workers."""

    ca: str
    cert: str
    key: str


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`address` is "local:N" or "dask://HOST:PORT"."""

    address: str
    tls: Tls | None = None
    wheels: tuple[str, ...] = ()
    index: str = ""
    unfit: bool = False

    @property
    def local_workers(self) -> int:
        """0 for a scheduler that runs already."""
        return int(self.address.removeprefix(LOCAL)) if self.address.startswith(LOCAL) else 0

    @property
    def scheduler(self) -> str:
        """As Dask names it."""
        return ("tls://" if self.tls else "tcp://") + self.address.removeprefix(DASK)


def place_of(
    on: str,
    *,
    wheels: Sequence[Path | str] = (),
    index: str = "",
    tls_ca: Path | str = "",
    tls_cert: Path | str = "",
    tls_key: Path | str = "",
    unfit: bool = False,
) -> Place:
    """Raises BadPlace."""
    return Place(
        address=_address(on),
        tls=_tls(on, str(tls_ca), str(tls_cert), str(tls_key)),
        wheels=tuple(str(wheel) for wheel in wheels),
        index=index,
        unfit=unfit,
    )


def _address(on: str) -> str:
    if on.startswith(LOCAL):
        number = on.removeprefix(LOCAL)
        if not (number.isascii() and number.isdigit() and 1 <= int(number) <= WORKERS_MOST):
            raise BadPlace(f"--on {on}: {number!r} is no number of workers", FORMS)
        return f"{LOCAL}{int(number)}"
    if not on.startswith(DASK):
        raise BadPlace(f"--on {on!r} names no place", FORMS)
    found = _HOST_PORT.fullmatch(on.removeprefix(DASK).removesuffix("/"))
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise BadPlace(f"--on {on} has no HOST:PORT", FORMS)
    return f"{DASK}{found[1]}:{int(found[2])}"


def _tls(on: str, ca: str, cert: str, key: str) -> Tls | None:
    given = {"--tls-ca": ca, "--tls-cert": cert, "--tls-key": key}
    missing = [name for name, file in given.items() if not file]
    if len(missing) == len(given):
        return None
    if missing:
        raise BadPlace(
            f"TLS takes three files, and {' and '.join(missing)} is missing",
            "Name the CA, and the certificate and key of this command",
        )
    if on.startswith(LOCAL):
        raise BadPlace(
            f"--on {on} never leaves this machine, and takes no certificates",
            "Leave out --tls-ca, --tls-cert and --tls-key",
        )
    return Tls(ca, cert, key)
