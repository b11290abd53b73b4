"""A certificate authority made for this process, and the two TLS contexts that trust it."""

from __future__ import annotations

import functools
import ssl

import trustme

#: The name that `server_context()`'s certificate is for.
HOSTNAME = "localhost"


@functools.cache
def _authority() -> trustme.CA:
    return trustme.CA()


@functools.cache
def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _authority().issue_cert(HOSTNAME).configure_cert(context)
    return context


@functools.cache
def client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _authority().configure_trust(context)
    return context
