"""Sockets that prove who they are, and what becomes of handshakes."""

from __future__ import annotations

from contextlib import suppress
from enum import Enum

import zmq
from zmq.utils.monitor import parse_monitor_message

from feedline.common.keys.files import ProducerKeys, TrainerKeys

ZAP_DOMAIN = b"feedline"


class Handshake(Enum):
    """How one ended. Whichever side finds a fault hangs up; the other only learns that."""

    DONE = "done"
    NOT_LISTED = "the trainer does not list the key"
    OTHER_MECHANISM = "one side has keys, the other has none"
    OTHER_TRAINER = "the producer takes the trainer for another"
    NOT_OURS = "the other side does not speak ZeroMQ as we do"
    HUNG_UP = "the other side hung up"


_FAULTS: dict[int, Handshake] = {
    zmq.PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH: Handshake.OTHER_MECHANISM,
    zmq.PROTOCOL_ERROR_ZMTP_CRYPTOGRAPHIC: Handshake.OTHER_TRAINER,
}

HANDSHAKE_EVENTS = (
    zmq.EVENT_HANDSHAKE_SUCCEEDED
    | zmq.EVENT_HANDSHAKE_FAILED_AUTH
    | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)


class Handshakes:
    """Hears how the handshakes of a socket end. Of the thread that has the socket.

    Parameters
    ----------
    socket : zmq.Socket
        Not connected or bound yet.

    Attributes
    ----------
    socket : zmq.Socket
        To be polled: readable when there is news.
    """

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self._watched = socket
        self.socket = socket.get_monitor_socket(HANDSHAKE_EVENTS)
        # The thread that reads may be busy, and then the one that moves bytes must not wait for it.
        self.socket.setsockopt(zmq.RCVHWM, 0)

    def take(self) -> list[Handshake]:
        """All that ended since the last call."""
        ended = []
        with suppress(zmq.Again):
            while True:
                event = parse_monitor_message(self.socket.recv_multipart(zmq.NOBLOCK))
                ended.append(how_it_ended(event["event"], event["value"]))
        return ended

    def close(self) -> None:
        """Hear no more; before the watched socket is closed."""
        self._watched.disable_monitor()
        self.socket.close(linger=0)


def how_it_ended(event: int, value: int) -> Handshake:
    """What one of `HANDSHAKE_EVENTS` means."""
    match event:
        case zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return Handshake.DONE
        case zmq.EVENT_HANDSHAKE_FAILED_AUTH:
            return Handshake.NOT_LISTED
        case zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL:
            return _FAULTS.get(value, Handshake.NOT_OURS)
        case _:
            return Handshake.HUNG_UP


def serve_securely(socket: zmq.Socket[bytes], keys: TrainerKeys) -> None:
    """Let in only who knows the trainer's key, and whom the handler of `ZAP_DOMAIN` lets in.

    Without such a handler in its context the socket lets nobody in.
    """
    socket.curve_server = True
    socket.curve_publickey, socket.curve_secretkey = keys.own.public, keys.own.secret
    socket.setsockopt(zmq.ZAP_DOMAIN, ZAP_DOMAIN)
    socket.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def connect_securely(socket: zmq.Socket[bytes], keys: ProducerKeys) -> None:
    """Talk to nobody but the trainer that the keys name."""
    socket.curve_serverkey = keys.trainer
    socket.curve_publickey, socket.curve_secretkey = keys.own.public, keys.own.secret
