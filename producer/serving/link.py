"""The socket of one conversation with a trainer: connecting it, again and again, and speaking through it."""

from __future__ import annotations

import logging
import os
import platform
from contextlib import suppress
from dataclasses import dataclass

import cv2
import msgpack
import numpy as np
import zmq

from feedline.common.errors import ConfigurationError
from feedline.common.keys.curve import Handshake, Handshakes, connect_securely
from feedline.common.keys.files import PRODUCERS, PUBLIC, TRAINER, ProducerKeys
from feedline.common.memory.arena import Arena, arena_name
from feedline.common.wire.encoding import encode
from feedline.common.wire.endpoints import is_ipv6, is_tcp
from feedline.common.wire.protocol import VERSION, ArenaOffer, FromProducer, Goodbye, Hello
from feedline.producer.serving.session import KnownJob, Phase, TrainerSession
from feedline.producer.serving.waits import Waits

logger = logging.getLogger(__name__)

RECONNECT_MS, LONGEST_RECONNECT_MS = 100, 2000
"""Pauses between attempts to connect: the first, and the longest they grow to."""


MAX_FRAME_BYTES = 1 << 30
"""A part of a ticket has no more; ZeroMQ hangs up on who sends more."""


@dataclass(slots=True)
class Address:
    """Where a trainer is, and how it is known to be the right one.

    Attributes
    ----------
    endpoint : str
        Where it listens, now or later.
    folder : str or None
        Of keys; over TCP alone.
    keys : ProducerKeys or None
        What was in it when it was looked into last.
    """

    endpoint: str
    folder: str | None = None
    keys: ProducerKeys | None = None

    def __post_init__(self) -> None:
        """Over other ways there are no keys."""
        if not is_tcp(self.endpoint):
            self.folder = None

    def look_up(self) -> ProducerKeys | None:
        """The keys as they are now: they may have been replaced. Those of last time if they cannot be read.

        Raises
        ------
        ConfigurationError
            They cannot be read, and never could.
        """
        if self.folder is not None:
            try:
                self.keys = ProducerKeys.read(self.folder)
            except ConfigurationError as error:
                if self.keys is None:
                    raise
                logger.warning(f"{error}. Going on with those of before")
        return self.keys

    def fault(self, ended: Handshake) -> str:
        """What is to be done about a handshake that failed; empty if none did."""
        match ended, self.keys:
            case Handshake.DONE, _:
                return ""
            case _, None:
                return (
                    "it hung up during the handshake: it asks for keys, which --keys DIR or FEEDLINE_KEYS"
                    " name, or is no trainer"
                )
            case Handshake.NOT_LISTED, keys:
                return (
                    f"it does not let the key of {keys.folder} in: copy its file NAME{PUBLIC} into the folder"
                    f" {TRAINER}/{PRODUCERS} of the trainer's keys"
                )
            case _, keys:
                return (
                    f"it is not the trainer of {keys.folder / TRAINER}{PUBLIC}, or has no keys: give this"
                    f" producer the {TRAINER}{PUBLIC} of the trainer that listens there"
                )


class Link:
    """The socket of one conversation. Used by the talking thread alone.

    Parameters
    ----------
    context : zmq.Context
        Of the process.
    address : Address
        Of the trainer.
    name : str
        Of this producer.

    Attributes
    ----------
    trouble : str
        Why there is nobody to talk to, though somebody listens.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], address: Address, name: str) -> None:
        self.endpoint = address.endpoint
        self.refusal = ""
        self.trouble = ""
        self.rejoin_at = 0.0
        self.waits = Waits()
        self.session = TrainerSession(Hello(VERSION, name, platform.node(), os.getpid(), libraries()))
        self._context = context
        self._address = address
        self._connect()

    @property
    def sockets(self) -> list[zmq.Socket[bytes]]:
        """All that may have something to say."""
        return [self.socket, self._handshakes.socket]

    def say(self, message: FromProducer) -> None:
        """Send, or drop it when the queue is full: then the session is about to begin anew anyway."""
        with suppress(zmq.Again):
            self.socket.send_multipart(encode(self.session.ids, message), zmq.NOBLOCK, copy=False)

    def note_handshakes(self) -> None:
        """Find out why a trainer that listens does not answer."""
        for ended in self._handshakes.take():
            self.trouble = self._address.fault(ended)

    def offer_arena(self, known: KnownJob, num_slots: int) -> None:
        """Offer the trainer memory to share; without any, batches go as frames."""
        ids = self.session.ids
        if isinstance(known.job, str):
            return
        name = arena_name(ids.pool_id, ids.producer_id, known.job.job_id)
        try:
            arena = known.arena = Arena(name, known.job.slot_bytes, num_slots)
        except OSError as error:
            logger.warning(f"no shared memory ({error}): batches go as frames")
            return
        self.say(ArenaOffer(known.job.job_id, name, arena.nonce, arena.slot_bytes, arena.num_slots))

    def restart(self, reason: str) -> None:
        """Begin the conversation anew, with a new id on a new socket."""
        logger.log(
            logging.INFO if self.session.phase is Phase.SERVING else logging.DEBUG,
            f"connecting anew to {self.endpoint}: {reason}",
        )
        self._disconnect(linger_ms=0)
        self.session.restart()
        self._connect()

    def close(self, farewell: str, flush_ms: int) -> None:
        """Say goodbye, let what was said leave if somebody is there to hear it, and close."""
        is_heard = self.session.phase is Phase.SERVING
        if is_heard:
            self.say(Goodbye(farewell))
        self._disconnect(linger_ms=flush_ms if is_heard else 0)

    def _connect(self) -> None:
        keys = self._address.look_up()
        socket = self.socket = self._context.socket(zmq.DEALER)
        self._handshakes = Handshakes(socket)
        socket.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        socket.setsockopt(zmq.RECONNECT_IVL_MAX, LONGEST_RECONNECT_MS)
        socket.setsockopt(zmq.IPV6, is_ipv6(self.endpoint))
        socket.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME_BYTES)
        if keys is not None:
            connect_securely(socket, keys)
        socket.connect(self.endpoint)

    def _disconnect(self, linger_ms: int) -> None:
        self._handshakes.close()
        self.socket.close(linger=linger_ms)


def libraries() -> dict[str, str]:
    """Whatever the bytes of a batch may depend on, by name."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "opencv": cv2.__version__,
        "msgpack": ".".join(map(str, msgpack.version)),
        "machine": platform.machine(),
    }
