"""What every test of the whole has to leave as it found it."""

from __future__ import annotations

import gc
import inspect
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path

import hypothesis
import psutil
import pytest

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # else it asks the network for its newest version

# A shell's background jobs ignore Ctrl-C, and so would all that tests start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples each time; and how long one takes says nothing on a busy machine.
hypothesis.settings.register_profile("house", deadline=None, derandomize=True)
hypothesis.settings.load_profile("house")

SETTLE_S = 10.0
"""What ends by itself, such as a child that was told to leave, may take so long."""

POLL_S = 0.02

OF_THE_KERNEL = ("socket:", "pipe:", "anon_inode:[event")
"""What sockets, pipes and ZeroMQ's inner workings are called in /proc/self/fd."""


@dataclass(frozen=True)
class Traces:
    """What a test could leave behind, each thing under a name that tells it from others."""

    threads: frozenset[str]
    children: frozenset[str]
    descriptors: frozenset[str]
    files: frozenset[str]
    wakeup_fd: frozenset[str]

    @classmethod
    def found(cls) -> Traces:
        """Look around in this process and on this machine."""
        return cls(_threads(), _children(), _descriptors(), _files(), _wakeup_fd())

    def beyond(self, before: Traces) -> str:
        """Name what is here and was not; empty if there is nothing."""
        news = [(f.name, sorted(getattr(self, f.name) - getattr(before, f.name))) for f in fields(self)]
        return "; ".join(f"{name}: {', '.join(new)}" for name, new in news if new)


def _threads() -> frozenset[str]:
    return frozenset(f"{t.name} {t.ident}" for t in threading.enumerate() if t.name.startswith("feedline-"))


def _children() -> frozenset[str]:
    found = set()
    for child in psutil.Process().children(recursive=True):
        try:
            found.add(f"process {child.pid} ({' '.join(child.cmdline()) or child.status()})")
        except psutil.NoSuchProcess:
            continue
    return frozenset(found)


def _descriptors() -> frozenset[str]:
    """Kinds are counted: a pool that outlives the test may have got a new connection for an old one."""
    found: set[str] = set()
    kinds: Counter[str] = Counter()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            link = str(fd.readlink())
        except FileNotFoundError:  # it was the one that listed the others
            continue
        if link.startswith(OF_THE_KERNEL):
            kind = link.partition("[")[0] if link.startswith(("socket:", "pipe:")) else link
            kinds[kind] += 1
            found.add(f"{kind} no. {kinds[kind]}")
        elif "/feedline-" in link:
            found.add(f"{fd.name} -> {link}")
    return frozenset(found)


def _files() -> frozenset[str]:
    places = [Path(tempfile.gettempdir()), Path(os.environ["FEEDLINE_SHM"])]
    return frozenset(str(path) for place in places for path in place.glob("feedline-*"))


def _wakeup_fd() -> frozenset[str]:
    fd = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
    return frozenset([str(fd)])


def pytest_collection_finish() -> None:
    """Let no search for garbage go through TensorFlow and all tests again: that takes half a second."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def places_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep other trainers on this machine, and what they leave behind, out of sight."""
    tmp_path_factory.getbasetemp()  # where it always is, for whoever wants to look at it after a failure
    # Short: the path of a Unix socket has 107 characters at most.
    temp = tempfile.mkdtemp(prefix="fl-")
    shared_memory = tempfile.mkdtemp(prefix="fl-", dir="/dev/shm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", temp)
        patch.setenv("FEEDLINE_SHM", shared_memory)
        patch.setattr(tempfile, "tempdir", None)
        yield
    for folder in (temp, shared_memory):
        shutil.rmtree(folder)


@pytest.fixture(scope="session", autouse=True)
def defaults_of_this_run() -> Iterator[None]:
    """Give transport and cache the defaults that the environment asks for: see test_transports.py."""
    asked = {name: os.environ.get(f"FEEDLINE_TEST_{name.upper()}") for name in ("transport", "cache")}
    if not any(asked.values()):
        yield
        return
    from feedline import BatchSequence, ProducerPool  # noqa: PLC0415 - imports Keras, which most runs need not

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in ((ProducerPool, "transport"), (BatchSequence, "cache")):
            if asked[name]:
                patch.setitem(inspect.unwrap(owner.__init__).__kwdefaults__, name, asked[name])
        yield


@pytest.fixture(autouse=True)
def nothing_is_left_behind(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test of the whole that leaves a thread, process, socket, pipe, file or signal setting."""
    if "integration" not in request.path.parts:
        yield
        return
    before = Traces.found()
    yield
    until = time.monotonic() + SETTLE_S
    while left := Traces.found().beyond(before):
        if time.monotonic() > until:
            pytest.fail(f"left behind: {left}")
        gc.collect()
        time.sleep(POLL_S)
