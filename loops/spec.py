"""What the bench knows about an event loop before it imports it."""

from __future__ import annotations

from dataclasses import dataclass

# Closed vocabulary: a scenario names what it needs, a spec what its loop has. Undeclared means all.
CAPABILITIES: frozenset[str] = frozenset(
    {
        "tcp",
        "unix",
        "udp",
        "tls",
        "start_tls",
        "pipe",
        "subprocess",
        "signal",
        "sendfile",
        "sock",
        "fd",
        "executor",
    }
)


@dataclass(frozen=True)
class LoopSpec:
    """One way to make an event loop.

    name: how tables and `--loop` call it.
    factory: "module:attribute" of a callable without arguments that returns a new loop.
    distribution: the installed package that has the version, None for the standard library.
    requires_python: version specifier such as ">=3.12"; "" means any.
    capabilities: subset of CAPABILITIES.
    notes: one sentence for people, shown by `bench list loops`.
    arguments: what the factory is called with.
    needs: further modules without which the factory cannot be imported, such as an extension
        that has to be built.

    Raises ValueError for a malformed factory or an unknown capability.
    """

    name: str
    factory: str
    distribution: str | None = None
    requires_python: str = ""
    capabilities: frozenset[str] = CAPABILITIES
    notes: str = ""
    needs: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not is_factory(self.factory):
            raise ValueError(
                f"loop {self.name!r}: factory {self.factory!r} is not module:attribute"
            )
        unknown = sorted(self.capabilities - CAPABILITIES)
        if unknown:
            raise ValueError(
                f"loop {self.name!r}: unknown capabilities {', '.join(unknown)};"
                f" known are {', '.join(sorted(CAPABILITIES))}"
            )

    @property
    def module(self) -> str:
        """The module that has to be imported for the factory."""
        return self.factory.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The dotted path of the factory inside its module."""
        return self.factory.partition(":")[2]


def is_factory(text: str) -> bool:
    """Whether `text` has the form package.module:attribute."""
    module, colon, attribute = text.partition(":")
    parts = [*module.split("."), *attribute.split(".")]
    return bool(colon) and all(part.isidentifier() for part in parts)
