"""ZeroMQ addresses: which are well formed, and which leave the machine."""

from __future__ import annotations

import ipaddress
import re

from common.errors import ConfigurationError

_TCP = re.compile(r"tcp://(?P<host>\[[^\]]+\]|[^:\[\]/]+):(?P<port>\d+|\*)")


def check_endpoint(endpoint: str, *, insecure: bool) -> None:
    """Accept ``ipc://PATH`` and loopback ``tcp://HOST:PORT``; other hosts only with `insecure`.

    Raises
    ------
    ConfigurationError
        The endpoint is malformed, or leaves the machine without `insecure`.
    """
    if endpoint.startswith("ipc://") and len(endpoint) > len("ipc://"):
        return
    if _TCP.fullmatch(endpoint) is None:
        raise ConfigurationError(f"an endpoint is tcp://HOST:PORT or ipc://PATH, got {endpoint!r}")
    if leaves_machine(endpoint) and not insecure:
        raise ConfigurationError(
            f"{endpoint} can be reached from other machines, and nothing is encrypted or authenticated:"
            " use a loopback or ipc endpoint, or say insecure=True (--insecure) in a network you trust"
        )


def leaves_machine(endpoint: str) -> bool:
    """Whether others than this machine can be at the far end."""
    match = _TCP.fullmatch(endpoint)
    if match is None:
        return False
    host = match["host"].strip("[]")
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"
