"""ZeroMQ addresses: which are well formed, and which leave the machine."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from pathlib import Path

from feedline.common.errors import ConfigurationError

MAX_IPC_BYTES = 107
"""The longest path of a socket that Linux takes."""

MAX_PORT = 65_535

_IPC = "ipc://"
_TCP = re.compile(r"tcp://(?P<host>\[[^\]]+\]|[^:\[\]/\s]+):(?P<port>\d+|\*)")


def check_endpoint(endpoint: str, *, insecure: bool, has_keys: bool = False) -> None:
    """Accept ``ipc://PATH`` and loopback ``tcp://HOST:PORT``; other hosts only with keys, or `insecure`.

    Raises
    ------
    ConfigurationError
        The endpoint is malformed, or leaves the machine without either; or both are said.
    """
    if insecure and has_keys:
        raise ConfigurationError(
            "keys and insecure contradict each other: leave out insecure=True (--insecure,"
            " FEEDLINE_INSECURE), or keys= (--keys, FEEDLINE_KEYS)"
        )
    if endpoint.startswith(_IPC) and len(endpoint) > len(_IPC):
        _check_length(endpoint)
        return
    match = _TCP.fullmatch(endpoint)
    if match is None:
        raise ConfigurationError(f"an endpoint is tcp://HOST:PORT or ipc://PATH, got {endpoint!r}")
    # ZeroMQ takes any number, and uses its last 16 bits.
    if match["port"] != "*" and int(match["port"]) > MAX_PORT:
        raise ConfigurationError(f"a port is a number up to {MAX_PORT}, got {endpoint!r}")
    if leaves_machine(endpoint) and not (insecure or has_keys):
        raise ConfigurationError(
            f"{endpoint} can be reached from other machines, so both sides need keys: `feedline keygen DIR`"
            " makes them, keys=DIR (--keys DIR, or FEEDLINE_KEYS) says where they are. Without encryption, in"
            " a network that you trust: insecure=True (--insecure)"
        )


def check_connect(endpoint: str, *, insecure: bool, has_keys: bool = False) -> None:
    """`check_endpoint` for who connects: a star is for who listens.

    Raises
    ------
    ConfigurationError
        As `check_endpoint` does, or there is a star.
    """
    check_endpoint(endpoint, insecure=insecure, has_keys=has_keys)
    match = _TCP.fullmatch(endpoint)
    if endpoint == f"{_IPC}*" or (
        match is not None and ("*" in match["host"] or match["port"] in {"*", "0"})
    ):
        raise ConfigurationError(f"a producer connects to one host and port, got {endpoint!r}")


def check_free(endpoint: str) -> None:
    """Refuse an ``ipc://`` path that is taken: ZeroMQ would remove whatever is there, and listen.

    Raises
    ------
    ConfigurationError
        Somebody listens there, or it is a file.
    """
    path = Path(endpoint.removeprefix(_IPC))
    if not endpoint.startswith(_IPC) or endpoint.startswith(f"{_IPC}@") or not os.path.lexists(path):
        return
    if not path.is_socket():
        raise ConfigurationError(f"cannot listen on {endpoint}: there is a file of this name")
    with socket.socket(socket.AF_UNIX) as probe:
        if probe.connect_ex(str(path)) == 0:
            raise cannot_listen(endpoint, errno.EADDRINUSE)


def cannot_listen(endpoint: str, number: int | None, why: str = "") -> ConfigurationError:
    """The error of a socket that could not be bound, from its errno and its text."""
    if number == errno.EADDRINUSE:
        other = (
            "choose another path" if endpoint.startswith(_IPC) else "take another port; port * is a free one"
        )
        why = f"somebody else does already, perhaps a trainer that still runs: end it, or {other}"
    return ConfigurationError(f"cannot listen on {endpoint}: {why}")


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


def unknown_host(endpoint: str) -> str:
    """What is wrong with the name of the host; empty if it is known, or there is none. May take seconds."""
    match = _TCP.fullmatch(endpoint)
    if match is None:
        return ""
    host = match["host"].strip("[]")
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        return f"the host {host!r} is not known here ({error.strerror or error}); check --connect"
    return ""


def is_tcp(endpoint: str) -> bool:
    """Whether bytes go through the network, or could: a loopback port may be the end of a tunnel."""
    return _TCP.fullmatch(endpoint) is not None


def is_ipv6(endpoint: str) -> bool:
    """Whether the host is an IPv6 address, which sockets have to be prepared for."""
    return endpoint.startswith("tcp://[")


def _check_length(endpoint: str) -> None:
    path = os.fsencode(endpoint.removeprefix(_IPC))
    if len(path) > MAX_IPC_BYTES:
        raise ConfigurationError(
            f"the path of a socket has at most {MAX_IPC_BYTES} bytes, {endpoint} has {len(path)}:"
            " use a shorter one"
        )
