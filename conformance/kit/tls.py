"""TLS contexts around one certificate that exists for these cases alone.

It is self-signed, for "localhost", 127.0.0.1 and ::1, and valid from 2020 to 2120; its key is
public, so trust it nowhere else.
"""

from __future__ import annotations

import ssl
from pathlib import Path

HOSTNAME = "localhost"

PEM = """\
-----BEGIN CERTIFICATE-----
MIIB5TCCAYygAwIBAgIBATAKBggqhkjOPQQDAjAgMR4wHAYDVQQDDBVsb29wZ2F1
Z2UgY29uZm9ybWFuY2UwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBa
MCAxHjAcBgNVBAMMFWxvb3BnYXVnZSBjb25mb3JtYW5jZTBZMBMGByqGSM49AgEG
CCqGSM49AwEHA0IABMZiKpq3LolXWlAEjkv+/wDBYdOt/T74ZKsXBkr/yx0MmiiJ
i/kJWbxPO6dQYaApjQIV4m5eVbFGQrD8J4+sQHejgbQwgbEwLAYDVR0RBCUwI4IJ
bG9jYWxob3N0hwR/AAABhxAAAAAAAAAAAAAAAAAAAAABMBIGA1UdEwEB/wQIMAYB
Af8CAQAwDgYDVR0PAQH/BAQDAgKEMB0GA1UdDgQWBBR/EdBOerPJPWra5IeqdNv4
M8V9tDAfBgNVHSMEGDAWgBR/EdBOerPJPWra5IeqdNv4M8V9tDAdBgNVHSUEFjAU
BggrBgEFBQcDAQYIKwYBBQUHAwIwCgYIKoZIzj0EAwIDRwAwRAIgBiJ4XSWZQNTl
Qw46vrSLj2hM3Qj/6YvQhhXaVe1Sg64CIHF9UZXr5yg76HFoadGX5a7KwJGK5Pum
0NaUEdfZuF++
-----END CERTIFICATE-----
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgW8xgNfWiielBEBLy
OI70T6la9/cWJkyh19UHuXxYRj2hRANCAATGYiqaty6JV1pQBI5L/v8AwWHTrf0+
+GSrFwZK/8sdDJooiYv5CVm8TzunUGGgKY0CFeJuXlWxRkKw/CePrEB3
-----END PRIVATE KEY-----
"""


def server_context(directory: Path) -> ssl.SSLContext:
    """Shows the certificate; `directory` is a place for its file (`Trial.directory`)."""
    path = directory / "certificate.pem"
    path.write_text(PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def client_context() -> ssl.SSLContext:
    """Trusts the certificate, and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=PEM[: PEM.index("-----BEGIN PRIVATE")])
    return context
