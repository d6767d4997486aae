"""The socket that producers connect to, and who is let in. Of the pool's thread, after it was made.

Where there are keys, ZeroMQ asks about each that somebody proves to have, before a byte of any message goes
either way (ZAP, https://rfc.zeromq.org/spec/27). It is answered from the folder of listed keys as it is then.
A key that is taken off the list ends at once what was agreed with whoever has it, and the connection.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Any

import zmq
from zmq.utils import z85

from feedline.common.keys.curve import HANDSHAKE_EVENTS, ZAP_DOMAIN, Handshake, how_it_ended, serve_securely
from feedline.common.keys.files import PUBLIC, TRAINER, Listing, TrainerKeys
from feedline.common.wire.endpoints import cannot_listen, check_free, is_ipv6, is_tcp, leaves_machine
from feedline.trainer.pool.doorkeeper import REVIEW_S, Doorkeeper

logger = logging.getLogger(__name__)

HANDSHAKE_MS = 5000
"""A connection that does not speak ZeroMQ by then is ended."""

MAX_WAITING = 16
"""Messages of one connection that are taken in before they are looked at; its sender has to keep the others.
A producer has a few answers, and a warning now and then."""

ALONE_S = 0.25
"""Between two looks when no stranger is there."""

RELIST_S = 0.2
"""The folder of listed keys is looked at no more often, however many strangers knock."""

ZAP_ADDRESS = "inproc://zeromq.zap.01"
ZAP_VERSION = b"1.0"

NO_KEY = ""
"""Of whoever comes where no keys are asked for."""

_EVENT = struct.Struct("=Hi")
"""What a socket's monitor says: an event and its value (zmq_socket_monitor(3)). Hundreds may come."""

_ACCEPTED, _DISCONNECTED = int(zmq.EVENT_ACCEPTED), int(zmq.EVENT_DISCONNECTED)

Context = zmq.Context[zmq.Socket[bytes]]
Note = Callable[[str, str], object]
"""(who, why) of somebody who was not let in."""


class Gate:
    """Says which keys are let in.

    Parameters
    ----------
    context : zmq.Context
        Of the socket that it stands before.
    keys : TrainerKeys
        Where the list is.
    note : callable
        Told of everybody who is not let in.
    """

    def __init__(self, context: Context, keys: TrainerKeys, note: Note) -> None:
        self._listing = Listing(keys.producers)
        self._note = note
        self._relist_at = float("-inf")
        self._troubles: tuple[str, ...] = ()
        self.socket = context.socket(zmq.REP)
        self.socket.bind(ZAP_ADDRESS)

    def lets_in(self, key: str) -> bool:
        """Whether a key is on the list."""
        return key.encode() in self._listing.names

    def review(self, now: float) -> set[str]:
        """Look at the list again; returns the keys that were taken off it."""
        if now < self._relist_at:
            return set()
        self._relist_at = now + RELIST_S
        gone = self._listing.review()
        for trouble in set(self._listing.troubles) - set(self._troubles):
            logger.warning(trouble)
        self._troubles = self._listing.troubles
        return {key.decode() for key in gone}

    def answer(self) -> None:
        """Answer all questions there are."""
        with suppress(zmq.Again):
            while True:
                self.socket.send_multipart(self._reply(self.socket.recv_multipart(zmq.NOBLOCK)))

    def _reply(self, question: list[bytes]) -> list[bytes]:
        _, request_id, domain, address, _, mechanism, *credentials = question
        key = z85.encode(credentials[0]) if mechanism == b"CURVE" and domain == ZAP_DOMAIN else b""
        if key in self._listing.names:
            return [ZAP_VERSION, request_id, b"200", b"", key, b""]
        files = self._listing.folder / f"NAME{PUBLIC}"
        self._note(f"somebody at {address.decode()}", f"its key {key.decode()} is in no file {files}")
        return [ZAP_VERSION, request_id, b"400", b"not listed", b"", b""]


class Door:
    """A bound ROUTER and what guards it.

    Parameters
    ----------
    context : zmq.Context
        Of the pool.
    address : str
        Where to listen.
    keys : TrainerKeys or None
        Whom to let in; None: everybody who can reach it.
    note : callable
        Told of everybody who is not let in.
    max_message_bytes : int or None
        Whoever sends a longer one is cut off.

    Attributes
    ----------
    keeper : Doorkeeper
        Watches who was not let in.

    Raises
    ------
    ConfigurationError
        The address is taken, or cannot be had.
    """

    def __init__(
        self,
        context: Context,
        address: str,
        keys: TrainerKeys | None,
        note: Note,
        max_message_bytes: int | None,
    ) -> None:
        check_free(address)
        if leaves_machine(address) and keys is None:
            logger.warning(f"{address} is open to the network: nothing is encrypted or authenticated")
        self._note = note
        self._reasons = _reasons(keys) if is_tcp(address) else {}
        self.keeper = Doorkeeper()
        self._attend_at = 0.0
        # Before anybody can knock.
        self._gate = Gate(context, keys, note) if keys is not None else None
        self.socket = context.socket(zmq.ROUTER)
        self._monitor = self.socket.get_monitor_socket(
            HANDSHAKE_EVENTS | zmq.EVENT_ACCEPTED | zmq.EVENT_DISCONNECTED
        )
        # The pool may be busy, and then the thread that moves bytes must not wait for it.
        self._monitor.setsockopt(zmq.RCVHWM, 0)
        gates = () if self._gate is None else (self._gate.socket,)
        self._guards, self._guards_beside_strangers = (self._monitor, *gates), gates
        try:
            self._bind(address, keys, max_message_bytes)
        except BaseException:
            self.close(linger_ms=0)
            raise
        self.endpoint: str = self.socket.getsockopt_string(zmq.LAST_ENDPOINT)

    @property
    def guards(self) -> tuple[zmq.Socket[bytes], ...]:
        """Sockets that are readable when `attend` has something to do at once.

        Who comes and goes while a stranger is there is seen with the next look at that one: thousands who
        come and go must not wake the pool each.
        """
        return self._guards if self.is_alone else self._guards_beside_strangers

    @property
    def is_alone(self) -> bool:
        """Whether no stranger is there who has to be watched."""
        return self.keeper.is_alone

    def is_due(self, ready: AbstractSet[Any], now: float) -> bool:
        """Whether there may be something to do for `attend`; `ready` are the sockets that are readable."""
        return now >= self._attend_at or not ready.isdisjoint(self.guards)

    def attend(self, now: float) -> set[str]:
        """Look who came and went, and let in who may come in; returns keys that were taken off the list."""
        self.catch_up(now)
        self.keeper.review(now)
        self._attend_at = now + (ALONE_S if self.is_alone else REVIEW_S)
        if self._gate is None:
            return set()
        gone = self._gate.review(now)
        self._gate.answer()
        return gone

    def catch_up(self, now: float) -> None:
        """Take in who came and went: whoever has said something by now came before.

        Needed before anything is done about a connection: who is let in first and comes then is a stranger.
        """
        with suppress(zmq.Again):
            while True:
                told, _address = self._monitor.recv_multipart(zmq.NOBLOCK)
                event, value = _EVENT.unpack(told)
                self._take_event(event, value, now)

    def key_behind(self, frame: zmq.Frame) -> str | None:
        """The key of whoever sent it; None if it is not on the list any more."""
        if self._gate is None:
            return NO_KEY
        key = str(frame.get("User-Id"))
        return key if self._gate.lets_in(key) else None

    def close(self, linger_ms: int) -> None:
        """Stop listening, when what was said has left or after so long."""
        self.socket.disable_monitor()
        self._monitor.close(linger=0)
        self.socket.close(linger=linger_ms)
        if self._gate is not None:
            self._gate.socket.close(linger=0)

    def _take_event(self, event: int, value: int, now: float) -> None:
        if event == _ACCEPTED:
            self.keeper.arrived(value, now)
        elif event == _DISCONNECTED:
            self.keeper.left(value, now)
        else:
            why = self._reasons.get(how_it_ended(event, value))
            if why is not None:
                self._note("somebody", why)

    def _bind(self, address: str, keys: TrainerKeys | None, max_message_bytes: int | None) -> None:
        if keys is not None:
            serve_securely(self.socket, keys)
        # A message to a producer whose connection is gone is an error, not silence.
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE_MS)
        self.socket.setsockopt(zmq.RCVHWM, MAX_WAITING)
        if max_message_bytes is not None:
            self.socket.setsockopt(zmq.MAXMSGSIZE, max_message_bytes)
        self.socket.setsockopt(zmq.IPV6, is_ipv6(address))
        try:
            self.socket.bind(address.replace("tcp://localhost", "tcp://127.0.0.1"))
        except zmq.ZMQError as error:
            raise cannot_listen(address, error.errno, str(error.strerror)) from error


def _reasons(keys: TrainerKeys | None) -> dict[Handshake, str]:
    """What the faults mean that ZeroMQ finds by itself. Who hangs up, such as a health check, is no news."""
    if keys is None:
        return {Handshake.OTHER_MECHANISM: "it has keys, and this pool has none: pass keys=DIR here, too"}
    return {
        Handshake.OTHER_MECHANISM: "it has no keys: start it with --keys DIR",
        Handshake.OTHER_TRAINER: (
            f"it takes this trainer for another: its {TRAINER}{PUBLIC} is not {keys.folder / TRAINER}{PUBLIC}"
        ),
    }
