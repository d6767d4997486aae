"""A pool with a page: what its server answers, to whom, and that it ends with the pool."""

from __future__ import annotations

import gc
import http.client
import json
import os
import pty
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from children import wait_for, wait_for_producers
from planted import broken_pictures, pictures

from feedline import BatchSequence, ProducerPool
from feedline.errors import ConfigurationError
from feedline.trainer.monitor import server
from feedline.trainer.monitor.access import TOKEN_VARIABLE, Access, Address
from feedline.trainer.monitor.app import FILES, PAGE
from feedline.trainer.monitor.elsewhere import TrainingSource
from feedline.trainer.monitor.glimpses import Glimpses
from feedline.trainer.monitor.recorder import Recorder
from feedline.trainer.monitor.source import PoolSource

SIZE = (24, 32)
TOKEN = "0123456789abcdef"


def is_refused(address: str) -> bool:
    """Whether nobody listens; one who is about to end may still take a connection, and cut it."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port))).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


def ask(pool: ProducerPool, path: str, token: str = "", body: bytes | None = None, host: str = "") -> Any:
    """Status, headers and body of what is answered."""
    request = urllib.request.Request(f"http://{pool.monitor}{path}", body)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if host:
        request.add_header("Host", host)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def view(pool: ProducerPool, token: str = "") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask(pool, "/api/view", token)[2])
    return found


def test_a_pool_shows_what_it_does_and_its_page_ends_with_it(tmp_path: Path) -> None:
    data = pictures(tmp_path, 160, "png", SIZE)
    with (
        ProducerPool(workers=1, monitor="127.0.0.1:0") as pool,
        BatchSequence(data, pool=pool, batch_size=8, image_size=SIZE) as sequence,
    ):
        for step in range(10):
            sequence[step]
        wait_for("ten steps", lambda: view(pool)["totals"]["images"] == 80)
        (job,), (producer,) = view(pool)["jobs"], view(pool)["producers"]
        assert (job["epoch"], job["step"], job["num_steps"]) == (0, 10, 20)
        assert producer["name"] == "embedded/1"
        assert producer["memory_bytes"] > 10_000_000
        assert b"feedline_images_total 80.0" in ask(pool, "/metrics")[2]
        status, headers, body = ask(pool, "/")
        assert status == 200
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        assert b"<title>Feedline</title>" in body
        assert ask(pool, f"/api/pictures/{job['job']}.png")[0] == 204
        sequence[10]
        picture = cv2.imdecode(np.frombuffer(ask(pool, f"/api/pictures/{job['job']}.png")[2], np.uint8), 1)
        assert picture.shape == (96, 8 * 132 - 4, 3)
        os.kill(producer["pid"], signal.SIGKILL)
        wait_for("its end", lambda: any(event["kind"] == "died" for event in view(pool)["events"]))
        address = pool.monitor
    assert is_refused(address)


@pytest.mark.exhaustive
def test_bad_files_are_shown_as_far_as_they_can_be_seen(tmp_path: Path) -> None:
    data, upper = broken_pictures(tmp_path, SIZE)
    options = {"batch_size": 4, "image_size": SIZE, "on_error": "replace", "max_bad_share": 0.5}
    with (
        ProducerPool(workers=1, monitor="127.0.0.1:0") as pool,
        BatchSequence(data, pool=pool, **options) as sequence,
    ):
        for step in range(len(sequence)):
            sequence[step]
        wait_for("both bad files", lambda: len(view(pool)["bad"]) == 2)
        listed = {one["path"]: f"/api/bad/{one['job']}/{one['number']}.png" for one in view(pool)["bad"]}
        assert {listed[name][-5] for name in listed} == {"0", "1"}
        status, headers, body = ask(pool, listed["cut.jpg"])
        assert (status, headers["Content-Type"]) == (200, "image/png")
        assert headers["Content-Security-Policy"].startswith("default-src 'self'")
        shown = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_COLOR)
        assert shown.shape == (96, 128, 3)
        assert np.abs(shown[:30].astype(int) - upper).max() < 12
        assert ask(pool, listed["words.jpg"])[0] == 204
        (job,) = view(pool)["jobs"]
        for path in (f"/api/bad/{job['job']}/2.png", f"/api/bad/{job['job'] + 1}/0.png"):
            assert ask(pool, path)[0] == 404
        for path in (f"/api/bad/{job['job']}/-1.png", "/api/bad/cut.jpg", "/api/bad/1/../cut.png"):
            assert ask(pool, path)[0] == 404
        assert ask(pool, listed["cut.jpg"], host="evil.example")[0] == 421
        elsewhere = TrainingSource(Address.parse(pool.monitor))
        assert elsewhere.bad(job["job"], int(listed["cut.jpg"][-5]), "").body == body


@pytest.mark.exhaustive
def test_without_a_token_nobody_scales_and_strange_names_are_not_answered() -> None:
    with ProducerPool(workers=1, monitor="127.0.0.1:0") as pool:
        wait_for_producers(pool, 1)
        assert ask(pool, "/api/scale", body=b'{"producers": 2}')[0] == 401
        assert ask(pool, "/api/scale", "", b'{"producers": 2}')[0] == 401
        for path in ("/", "/api/view", "/metrics"):
            assert ask(pool, path, host="evil.example")[0] == 421
        assert ask(pool, "/api/view?since=x")[0] == 400
        assert not view(pool)["can_scale"]
        assert len(pool.producers) == 1


@pytest.mark.exhaustive
def test_who_has_the_token_scales(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with ProducerPool(workers=1, monitor="127.0.0.1:0") as pool:
        wait_for_producers(pool, 1)
        for body in (b"", b"2", b'{"producers": 0}', b'{"producers": true}', b'{"producers": 9999}'):
            assert ask(pool, "/api/scale", TOKEN, body)[0] == 400
        assert ask(pool, "/api/scale", TOKEN, b" " * 2000)[0] == 413
        assert ask(pool, "/api/scale", TOKEN, b'{"producers": 2}')[0] == 200
        wait_for_producers(pool, 2)
        wait_for("the event", lambda: "scaled" in {event["kind"] for event in view(pool)["events"]})
    with ProducerPool("tcp://127.0.0.1:*", monitor="127.0.0.1:0") as pool:
        assert ask(pool, "/api/scale", TOKEN, b'{"producers": 2}')[0] == 409


@pytest.mark.exhaustive
def test_what_the_page_asks_for_of_shared_producers_holds_until_a_sequence_is_resized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    data = pictures(tmp_path, 16, "png", SIZE)
    with BatchSequence(data, batch_size=4, image_size=SIZE, workers=1, monitor="127.0.0.1:0") as sequence:
        pool = sequence.pool
        assert ask(pool, "/api/scale", TOKEN, b'{"producers": 2}')[0] == 200
        wait_for_producers(pool, 2)
        with sequence.in_order() as other:
            assert len(other[0][1]) == 4
        assert pool._call(lambda _: pool._thread._producers.num_wanted) == 2
        sequence.resize(workers=1)
        wait_for_producers(pool, 1)


def test_beyond_this_machine_the_token_is_needed_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match=TOKEN_VARIABLE):
        ProducerPool(workers=1, monitor="0.0.0.0:0")
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with ProducerPool("tcp://127.0.0.1:*", monitor="0.0.0.0:0") as pool:
        assert ask(pool, "/")[0] == 200
        for path in ("/api/view", "/metrics", "/api/pictures/1.png", "/api/bad/1/0.png"):
            assert ask(pool, path)[0] == 401
            assert ask(pool, path, TOKEN)[0] in {200, 204, 404}


def test_the_first_that_anybody_is_shown_is_how_the_pool_stands() -> None:
    with ProducerPool(workers=2, memory_budget=10_000_000, monitor="127.0.0.1:0") as pool:
        first = view(pool)
    assert (first["num_asked"], first["memory_budget"]) == (2, 10_000_000)


def test_a_port_that_is_taken_is_said_so_and_no_producer_is_left() -> None:
    with ProducerPool("tcp://127.0.0.1:*", monitor="127.0.0.1:0") as pool:
        with pytest.raises(ConfigurationError, match="somebody else does already"):
            ProducerPool(workers=1, monitor=pool.monitor)
        assert pool.monitor


def test_a_pool_that_nobody_has_any_more_ends_though_it_has_a_page() -> None:
    pool = ProducerPool("tcp://127.0.0.1:*", monitor="127.0.0.1:0")
    address = pool.monitor
    assert not is_refused(address)
    del pool
    gc.collect()
    wait_for("the end of the page", lambda: is_refused(address))


class FailingOnce(PoolSource):
    """Its first review fails, and no other."""

    def __init__(self) -> None:
        super().__init__(Recorder(), Glimpses(), None)
        self.num_reviews, self.went_on = 0, threading.Event()

    def review(self) -> None:
        """Fail, or go on."""
        self.num_reviews += 1
        if self.num_reviews == 1:
            raise ZeroDivisionError("a judgement failed")
        self.went_on.set()


def test_a_review_that_fails_is_logged_and_the_next_one_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "REVIEW_S", 0.01)
    source = FailingOnce()
    page = server.MonitorServer(source, Access(Address("127.0.0.1", 0)))
    try:
        assert source.went_on.wait(30.0)
    finally:
        page.close()
    assert "it goes on" in caplog.text
    assert "ZeroDivisionError: a judgement failed" in caplog.text


def test_sequences_share_the_page_of_their_producers(tmp_path: Path) -> None:
    data = pictures(tmp_path, 16, "png", SIZE)
    with BatchSequence(data, image_size=SIZE, workers=1, monitor="127.0.0.1:0") as first:
        address = first.pool.monitor
        with BatchSequence(data, image_size=SIZE, workers=1, monitor=address) as second:
            assert second.pool.monitor == address
        with pytest.raises(ConfigurationError, match="is shown at"):
            BatchSequence(data, image_size=SIZE, workers=1, monitor="localhost:1")
        with pytest.raises(ConfigurationError, match="pool= has a page"):
            BatchSequence(data, image_size=SIZE, pool=first.pool, monitor="127.0.0.1:0")


def test_without_the_extra_it_is_said_which_one_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "feedline.trainer.monitor.server", raising=False)
    with pytest.raises(ConfigurationError, match=r"uvicorn is missing: pip install 'feedline\[monitor\]'"):
        ProducerPool("tcp://127.0.0.1:*", monitor="127.0.0.1:0")


def test_all_that_is_served_is_less_than_300_kb() -> None:
    assert sum((PAGE / name).stat().st_size for name, _ in FILES.values()) < 300_000


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "feedline", "monitor", *words], capture_output=True, text=True, check=False
    )


@pytest.mark.exhaustive
def test_without_a_terminal_the_command_prints_once() -> None:
    with ProducerPool(workers=1, monitor="127.0.0.1:0") as pool:
        wait_for_producers(pool, 1)
        wait_for("it", lambda: view(pool)["producers"])
        said = command("--connect", str(pool.monitor))
        assert said.returncode == 0, said.stderr
        assert "warming up" in said.stdout
        assert "embedded/1" in said.stdout
        address = str(pool.monitor)
    said = command("--connect", address)
    assert said.returncode == 1
    assert said.stderr.startswith(f"feedline monitor: nobody listens at {address}: is the training running")


@pytest.mark.exhaustive
def test_the_page_of_a_training_is_served_by_another_process() -> None:
    with ProducerPool(workers=1, monitor="127.0.0.1:0") as pool:
        words = ["-m", "feedline", "monitor", "--connect", str(pool.monitor), "--web", "127.0.0.1:0"]
        process = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
        try:
            assert process.stdout is not None
            with process.stdout as said:
                address = said.readline().split("http://")[1].split(",")[0]
            with urllib.request.urlopen(f"http://{address}/api/view?since=-1e18") as answer:
                assert json.load(answer)["num_asked"] == 1
            with urllib.request.urlopen(f"http://{address}/page.js") as answer:
                assert answer.status == 200
        finally:
            process.send_signal(signal.SIGINT)
            assert process.wait() == 130


@contextmanager
def a_prometheus(folder: Path, target: str) -> Iterator[str]:
    """One that scrapes `target` each second; yields where it answers."""
    config = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: feedline
    static_configs: [{{targets: ["{target}"]}}]
"""
    (folder / "prometheus.yml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    options = {"config.file": folder / "prometheus.yml", "storage.tsdb.path": folder / "tsdb"}
    words = [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        ["prometheus", *words, f"--web.listen-address={address}"], stderr=subprocess.DEVNULL
    )

    def is_ready() -> bool:
        try:
            urllib.request.urlopen(f"http://{address}/-/ready").close()
        except (OSError, http.client.HTTPException):
            return False
        return True

    try:
        wait_for("Prometheus", is_ready)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.exhaustive
@pytest.mark.skipif(not shutil.which("prometheus"), reason="prometheus is not installed")
def test_prometheus_scrapes_a_training_and_answers_its_throughput(tmp_path: Path) -> None:
    data = pictures(tmp_path, 160, "png", SIZE)
    with (
        ProducerPool(workers=1, monitor="127.0.0.1:0") as pool,
        BatchSequence(data, pool=pool, batch_size=8, image_size=SIZE) as sequence,
        a_prometheus(tmp_path, str(pool.monitor)) as base,
    ):
        steps = iter(sequence[step % len(sequence)] for step in range(10**7))

        def answers(query: str) -> float:
            next(steps)
            with urllib.request.urlopen(f"{base}/api/v1/query?query={query}") as answer:
                found = json.load(answer)["data"]["result"]
            return float(found[0]["value"][1]) if found else 0.0

        wait_for("a throughput", lambda: answers("rate(feedline_images_total[5s])") > 0)
        assert answers("feedline_producers") == 1
        wait_for("what is wanted", lambda: answers("feedline_producers_wanted") >= 1)


@pytest.mark.exhaustive
def test_in_a_terminal_keys_sort_and_end() -> None:
    with ProducerPool(workers=1, monitor="127.0.0.1:0") as pool:
        wait_for_producers(pool, 1)
        ours, theirs = pty.openpty()
        words = [sys.executable, "-m", "feedline", "monitor", "--connect", str(pool.monitor)]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        process = subprocess.Popen(words, stdin=theirs, stdout=theirs, env=environment)
        os.close(theirs)
        with os.fdopen(ours, "r+b", buffering=0) as terminal:
            seen = b""
            while b"sort by" not in seen:
                seen += terminal.read(65536)
            terminal.write(b"i")
            while b"the slowest first" not in seen:
                seen += terminal.read(65536)
            terminal.write(b"q")
            with suppress(OSError):
                while terminal.read(65536):
                    pass
            assert process.wait() == 0
