"""What a server is told when it starts: where it listens, who may come in, and how much it takes on."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_address

from graphgen.errors import ConfigError, Problem

PORT = 8420
LOOPBACK_NAMES = frozenset(("localhost", "127.0.0.1", "::1"))


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one client, and all of them together, may ask for."""

    body_bytes: int = 32 << 20
    """The largest JSON body."""
    upload_bytes: int = 512 << 20
    """The largest file that is taken in."""
    nodes: int = 100_000
    """Nodes of one workflow."""
    queued: int = 10_000
    """Runs that wait."""
    watchers: int = 500
    """Streams of events open at once."""
    patience: float = 30.0
    """Seconds that a client may take to send a part of its request, or to take in a part of the answer."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where a server listens, and whom it lets in. `token` None lets in everybody on this machine.

    `hosts` are names beside this machine's own that requests may be addressed to; `origins` are sites, such as
    `https://studio.example`, whose pages may use the server.

    Raises:
        ConfigError: it would be open to other machines without a token.
    """

    token: str | None
    host: str = "127.0.0.1"
    port: int = PORT
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    at_once: int = 2
    """Runs that are carried out at once."""
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if self.token is None and not is_loopback(self.host):
            message = f"{self.host} can be reached by other machines, and there would be no token"
            cure = "leave --no-token out, or listen at 127.0.0.1"
            raise ConfigError([Problem("no_token", "--host", message, self.host, cure=cure)])

    @property
    def names(self) -> frozenset[str]:
        """The names that a request may be addressed to."""
        own = () if self.host in ("0.0.0.0", "::") else (self.host.lower(),)  # noqa: S104 - compared, not bound to
        return LOOPBACK_NAMES | self.hosts | frozenset(own)


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
