"""Where the page is served, and who may do what there. Pure."""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from feedline.common.errors import ConfigurationError

TOKEN_VARIABLE = "FEEDLINE_MONITOR_TOKEN"  # noqa: S105 - its name
"""The variable of the environment that has the token."""

MIN_TOKEN_CHARS = 16
"""Shorter ones can be guessed."""

MAX_PORT = 65_535

HTTPS_PORT = 443
"""Where ``https://`` without a port is."""

_ADDRESS = re.compile(
    r"(?P<scheme>https?://)?(?P<host>\[[^\]]+\]|[^:\[\]/\s]+)(?::(?P<port>\d{1,5}))?/?", re.ASCII
)
_BEARER = "Bearer "
_SENDABLE = re.compile("[!-~]([ -~]*[!-~])?")


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port, as in ``127.0.0.1:8265``.

    Attributes
    ----------
    host : str
        Without brackets.
    port : int
        0 takes a free one, where somebody listens.
    is_encrypted : bool
        Whether it is asked over TLS; never where somebody listens.
    """

    host: str
    port: int
    is_encrypted: bool = False

    @classmethod
    def parse(cls, text: object, what: str = "monitor") -> Address:
        """Read one to listen on.

        Raises
        ------
        ConfigurationError
            It is none, quoted.
        """
        address = cls.to_ask(text, what)
        if address.is_encrypted:
            raise ConfigurationError(
                f"{what}={text!r} is where the page is served, and it is served without TLS: say HOST:PORT,"
                " and put a proxy that has a certificate in front"
            )
        return address

    @classmethod
    def to_ask(cls, text: object, what: str) -> Address:
        """Read one that others listen on: ``https://HOST`` is one, too.

        Raises
        ------
        ConfigurationError
            It is none, quoted.
        """
        match = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
        is_encrypted = match is not None and match["scheme"] == "https://"
        port = None if match is None else match["port"] or (HTTPS_PORT if is_encrypted else None)
        if match is None or port is None or int(port) > MAX_PORT:
            raise ConfigurationError(f'{what} is HOST:PORT, such as "127.0.0.1:8265", got {text!r}')
        return cls(match["host"].strip("[]"), int(port), is_encrypted)

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https://' if self.is_encrypted else ''}{host}:{self.port}"


def check_token(token: str) -> None:
    """Refuse a token that can be guessed, or that no request can carry. It is not quoted.

    Raises
    ------
    ConfigurationError
        It is one.
    """
    if len(token) < MIN_TOKEN_CHARS or not token.isascii():
        raise ConfigurationError(
            f"{TOKEN_VARIABLE} needs {MIN_TOKEN_CHARS} ASCII characters or more, lest it be guessed; it"
            f" has {len(token)}. Make one with: openssl rand -hex 16"
        )
    if not _SENDABLE.fullmatch(token):
        raise ConfigurationError(
            f"{TOKEN_VARIABLE} begins or ends with a space, or has an end of line or another control"
            " character in it, which no request can carry: take that out"
        )


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read, and who may change something.

    Attributes
    ----------
    address : Address
        Where it is served.
    token : str
        Whoever has it may scale; empty if nobody may. Beyond this machine it is needed to read, too.

    Raises
    ------
    ConfigurationError
        Others could read it without a token, or the token can be guessed.
    """

    address: Address
    token: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse to show a training to everybody."""
        if not (self.address.is_loopback or self.token):
            raise ConfigurationError(
                f"monitor={str(self.address)!r} can be reached from other machines: set {TOKEN_VARIABLE} to a"
                " token that whoever looks has to know, or listen on 127.0.0.1"
            )
        if self.token:
            check_token(self.token)

    @classmethod
    def of(cls, monitor: object, environment: Mapping[str, str], what: str = "monitor") -> Access:
        """What an argument, such as ``monitor=``, and the environment say."""
        return cls(Address.parse(monitor, what), environment.get(TOKEN_VARIABLE, ""))

    def may_change(self, authorization: str) -> bool:
        """Whether a request with this header may scale. No other site's page can send it: it is no cookie."""
        given = authorization.removeprefix(_BEARER) if authorization.startswith(_BEARER) else ""
        # A str beyond ASCII would raise.
        return bool(self.token) and hmac.compare_digest(given.encode(), self.token.encode())

    def may_read(self, authorization: str) -> bool:
        """Whether a request with this header may look."""
        return self.address.is_loopback or self.may_change(authorization)

    def may_be_called(self, host: str) -> bool:
        """Whether a request is meant for this server: names that others point to this machine are not its.

        A page of elsewhere could otherwise read what is here, under a name of its own (DNS rebinding).
        """
        if not self.address.is_loopback:
            return True
        name = host.rpartition(":")[0] if re.search(r":\d+$", host) else host
        return name in {"localhost", "127.0.0.1", "[::1]", self.address.host}
