"""One producer: a thread that talks to trainers, and the main thread, which builds batches.

Talking has a thread of its own so that heartbeats go out however long a batch takes.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import cv2
import zmq

from feedline.common.errors import RemoteProtocolError
from feedline.common.memory.sweeping import sweep
from feedline.common.processes.clock import AwakeClock
from feedline.common.wire.encoding import decode
from feedline.common.wire.names import one_line
from feedline.producer.building.builders import Workshop
from feedline.producer.building.stage_clock import StageClock
from feedline.producer.cache.folder import DEFAULTS, CacheSettings
from feedline.producer.plugins import NO_PLUGINS, Plugins
from feedline.producer.reading.roots import MOST_FILE_BYTES, DataRoots
from feedline.producer.serving.desk import Builder, Desk
from feedline.producer.serving.link import Address, Link
from feedline.producer.serving.session import (
    MAX_LINE_CHARS,
    Build,
    End,
    MakeArena,
    Phase,
    Restart,
    Say,
    TurnAway,
)
from feedline.producer.serving.waits import Turn, note_wait

logger = logging.getLogger(__name__)

NICE = 5
"""By so much the thread that builds gives way to others on its machine."""

POLL_MS = 200
"""The talking thread looks at the clock this often, if nothing else wakes it."""

FLUSH_MS, ORPHANS_FLUSH_MS = 2000, 500
"""How long a goodbye, and the batches before it, may take to leave; an orphan's trainer may be gone, too."""

TURN_AWAY_S = 5.0
"""Pause before a hello to who said what no trainer says; the next one may listen there then."""

MAX_RECEIVED = 256
"""Messages of one trainer that are taken in at a time."""

REJOIN_S = 0.5
"""Pause between a trainer's goodbye and the next hello: until then the old one may still listen."""


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What `python -m feedline.producer` was told.

    Attributes
    ----------
    endpoints : tuple of str
        Trainers to serve, each over a socket of its own.
    data_roots : tuple of str
        Folders to read from.
    name : str
        For log lines and errors.
    keys : str or None
        The folder of keys, for trainers over TCP.
    exit_with_trainer : bool
        End when the last trainer says goodbye.
    max_file_bytes : int
        Read no larger file.
    tells_waits : bool
        Log that a trainer is waited for: of several producers of a host, one does.
    parent_pid : int or None
        End when this process is not the parent any more.
    cache : CacheSettings
        Where and how much caches of decoded samples may be.
    plugins : Plugins
        Which modules of its users it may import.
    """

    endpoints: tuple[str, ...]
    data_roots: tuple[str, ...]
    name: str
    keys: str | None = None
    exit_with_trainer: bool = False
    max_file_bytes: int = MOST_FILE_BYTES
    tells_waits: bool = False
    parent_pid: int | None = None
    cache: CacheSettings = DEFAULTS
    plugins: Plugins = NO_PLUGINS


class Talker(threading.Thread):
    """Keeps the conversations going.

    Parameters
    ----------
    settings : WorkerSettings
        Whom to talk to.
    desk : Desk
        Shared with the builder.
    clock : StageClock
        Says what the builder is at.
    """

    def __init__(self, settings: WorkerSettings, desk: Desk, clock: StageClock) -> None:
        super().__init__(name="feedline-talker")
        self.error = ""
        self._is_orphan = False
        self._settings = settings
        self._desk = desk
        self._stages = clock
        self._clock = AwakeClock()

    def run(self) -> None:
        """Talk until the builder is done."""
        links: list[Link] = []
        with zmq.Context() as context:
            try:
                links.extend(
                    Link(context, Address(end, self._settings.keys), self._settings.name)
                    for end in self._settings.endpoints
                )
                while not (self._desk.done.is_set() or self._is_orphan):
                    self._round(links)
                self._send_answers(links)
            except Exception:
                logger.exception("the talking thread failed")
                self.error = "the talking thread failed"
                self._desk.tasks.put(None)
            finally:
                for link in links:
                    link.close("stopped", ORPHANS_FLUSH_MS if self._is_orphan else FLUSH_MS)
        if self._is_orphan:
            # Nobody wants the batch in hand, and its file may be on a disk that never answers.
            os._exit(1)

    def _round(self, links: list[Link]) -> None:
        poller = zmq.Poller()
        poller.register(self._desk.waker.fileno(), zmq.POLLIN)
        now = self._clock()
        for link in links:
            self._act(link, link.session.tick(now, self._stages.doing))
            # Who turned away, or was told goodbye, does not listen; the socket is closed when it says hello.
            for socket in link.sockets if link.session.phase is not Phase.ENDED else ():
                poller.register(socket, zmq.POLLIN)
        poller.poll(POLL_MS)
        self._desk.waker.clear()
        self._send_answers(links)
        self._send_notices(links)
        for link in links:
            self._hear(link)
            self._tell_wait(link)
        if self._is_over(links):
            self._desk.tasks.put(None)

    def _tell_wait(self, link: Link) -> None:
        """Say that a trainer is waited for, or that it is there."""
        if link.session.phase is Phase.ENDED:
            return
        is_served = link.session.phase is Phase.SERVING
        turn = link.waits.review(self._clock(), is_served=is_served, trouble=link.trouble)
        if turn is Turn.ENDED:
            logger.info(f"connected to the trainer at {link.endpoint}")
        elif turn is not Turn.NOTHING and self._settings.tells_waits:
            # The name is looked up, which may take long where there is no answer.
            note = threading.Thread(target=note_wait, args=(link.endpoint, turn, link.trouble), daemon=True)
            note.start()

    def _hear(self, link: Link) -> None:
        """Take in what there is from one trainer, and leave time for others."""
        link.note_handshakes()
        with suppress(zmq.Again):
            for _ in range(MAX_RECEIVED):
                if link.session.phase is Phase.ENDED:
                    return
                frames = link.socket.recv_multipart(zmq.NOBLOCK)
                try:
                    actions = link.session.heard(*decode(frames), self._clock())
                except RemoteProtocolError as error:
                    actions = link.session.turn_away(str(error))
                self._act(link, actions)

    def _act(self, link: Link, actions: Sequence[object]) -> None:
        for action in actions:
            match action:
                case Say(message):
                    link.say(message)
                case MakeArena(known, num_slots):
                    link.offer_arena(known, num_slots)
                case Build(task):
                    self._desk.queue(task)
                case Restart(reason):
                    link.restart(reason)
                case TurnAway(reason):
                    link.rejoin_at = self._clock() + TURN_AWAY_S
                    logger.warning(
                        f"turning away from {link.endpoint} for {TURN_AWAY_S:g} s, which is no trainer of"
                        f" this version: {one_line(reason, MAX_LINE_CHARS)}"
                    )
                case End(error):
                    link.refusal, link.rejoin_at = error, self._clock() + REJOIN_S
                    logger.log(
                        logging.ERROR if error else logging.INFO, f"{link.endpoint}: {error or 'goodbye'}"
                    )

    def _send_answers(self, links: list[Link]) -> None:
        while self._desk.answers:
            task, answer = self._desk.answers.popleft()
            for link in links:
                if link.session.answered(task):
                    link.say(answer)

    def _send_notices(self, links: list[Link]) -> None:
        """Hand warnings on, if anybody is there to hear them."""
        serving = [link for link in links if link.session.phase is Phase.SERVING]
        for notice in self._desk.notices.take() if serving else ():
            for link in serving:
                link.say(notice)

    def _is_over(self, links: list[Link]) -> bool:
        """Whether there is nothing left to live for; else trainers that left are waited for anew."""
        parent = self._settings.parent_pid
        if parent is not None and os.getppid() != parent:
            logger.info("the process that started this producer is gone")
            self._is_orphan = True
            return True
        ended = [link for link in links if link.session.phase is Phase.ENDED]
        final = [link for link in ended if link.refusal or self._settings.exit_with_trainer]
        for link in ended:
            if link not in final and self._clock() > link.rejoin_at:
                link.restart("waiting for the next trainer")
        self.error = "; ".join(f"{link.endpoint}: {link.refusal}" for link in links if link.refusal)
        return len(final) == len(links)


def run(settings: WorkerSettings, on_start: Callable[[Callable[[], None]], None]) -> str:
    """Serve trainers until told to stop; returns why it ended, empty when all is well.

    Parameters
    ----------
    settings : WorkerSettings
        Whom to serve with what.
    on_start : callable
        Called once with a function that stops the producer after the batch in hand; that function
        may be called from a signal handler.
    """
    cv2.setNumThreads(0)
    # A crash in code that is not Python's says which line of Python called it: the last words of a producer.
    faulthandler.enable(all_threads=False)
    sweep()
    desk = Desk()
    roots = DataRoots(settings.data_roots, settings.max_file_bytes)
    for folder in roots.missing if settings.tells_waits else ():
        logger.warning(f"--data-root {folder} does not exist: nothing can be read there until it does")
    logging.getLogger("feedline").addHandler(desk.notices)
    workshop = Workshop(roots, settings.cache, settings.plugins)
    builder, talker = Builder(desk, workshop), Talker(settings, desk, workshop.clock)
    on_start(desk.stop)
    talker.start()
    # Linux means this thread alone: whoever waits for batches goes first, and so does the talking thread.
    os.nice(NICE)
    builder.run()
    desk.done.set()
    desk.waker.wake()
    talker.join()
    logging.getLogger("feedline").removeHandler(desk.notices)
    return talker.error
