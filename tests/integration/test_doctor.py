"""``feedline doctor`` on this machine, a folder, and a network of one machine."""

from __future__ import annotations

import os
import socket
import struct
import threading
from pathlib import Path

import pytest
from images import write_images

from feedline.errors import ConfigurationError
from feedline.trainer.commands.cli import main
from feedline.trainer.doctor.data import images_in, look_at_folder
from feedline.trainer.doctor.findings import Severity
from feedline.trainer.doctor.rate import address, listen, network, receive, send


def test_a_folder_is_read_and_tried(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_images(tmp_path, 40)
    assert main(["doctor", str(tmp_path), "--workers", "1", "--seconds", "0.2", "--image-size", "32"]) == 0
    said = capsys.readouterr().out
    assert f"data {tmp_path}: 40 images" in said
    assert "images/s of 32 x 32 by 1 producers" in said
    assert said.splitlines()[-1].startswith("all ")


def test_what_will_not_work_is_bad_and_the_status_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["doctor", str(tmp_path / "empty"), str(tmp_path / "nowhere")]) == 1
    said = capsys.readouterr().out
    assert f"BAD  data {tmp_path}/empty: no images below it" in said
    assert f"BAD  data {tmp_path}/nowhere: no folder" in said
    assert said.endswith("2 of 9 will not work: see BAD above\n")


def test_images_that_cannot_be_decoded_are_bad_data_and_the_report_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, good = tmp_path / "b ad", tmp_path / "good"
    for folder in (bad, good):
        folder.mkdir()
        write_images(folder, 4)
    (bad / "text.png").write_text("no image")
    (bad / "empty.png").touch()
    options = ("--workers", "1", "--seconds", "0.1", "--image-size", "32")
    assert main(["doctor", str(bad), str(good), *options]) == 1
    said = capsys.readouterr().out
    assert f"BAD  data {bad}: not all of its images can be used: " in said
    assert f"feedline check '{bad}' lists them all" in said
    assert said.count("images/s of 32 x 32 by 1 producers") == 1
    assert said.splitlines()[-1].startswith("1 of ")


def test_a_file_is_not_said_to_be_missing(tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.touch()
    (finding,) = look_at_folder(table, images_in(table))
    assert str(finding).startswith(f"BAD  data {table}: a file, and no folder\n")
    assert "the folder of images" in finding.advice


def test_files_that_may_not_be_read_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_images(tmp_path, 3)
    # For root there is no such file.
    monkeypatch.setattr(os, "access", lambda path, _mode: Path(path).name != "0001.png")
    (finding,) = look_at_folder(tmp_path, images_in(tmp_path))
    assert finding.severity is Severity.BAD
    assert "1 of 3 images may not be read, such as" in finding.seen
    assert "0001.png" in finding.seen


def test_keys_are_read_as_their_owner_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys"
    assert main(["keygen", str(keys)]) == 0
    assert main(["doctor", "--keys", str(keys)]) == 0
    assert main(["doctor", "--keys", str(keys / "producer")]) == 0
    said = capsys.readouterr().out
    assert f"ok   keys {keys}: a trainer's, who lets in producer" in said
    assert f"ok   keys {keys}/producer: a producer's" in said
    (keys / "producer" / "producer.key_secret").chmod(0o644)
    assert main(["doctor", "--keys", str(keys / "producer")]) == 1
    assert "lets others at it: chmod 600" in capsys.readouterr().out


def test_what_was_sent_is_what_arrived() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        received: list[int] = []
        listener = threading.Thread(target=lambda: received.append(receive(server)[1]))
        listener.start()
        rate = send("127.0.0.1", server.getsockname()[1], seconds=0.1)
        listener.join()
    assert rate > 0
    assert received[0] % (1 << 20) == 0
    assert received[0] > 0


def test_a_sender_that_breaks_off_is_told_of_and_the_next_one_is_taken_in() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()) as sender:
            # Closing it now resets it.
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sender.sendall(b"some")
        assert "reset by peer" in receive(server).trouble
        with socket.create_connection(server.getsockname()) as sender:
            sender.sendall(b"all")
            sender.shutdown(socket.SHUT_WR)
            assert receive(server) == ("127.0.0.1", 3, "")


def test_who_listens_and_does_not_answer_is_not_taken_for_a_slow_network() -> None:
    def hang_up(server: socket.socket) -> None:
        server.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        other = threading.Thread(target=hang_up, args=(server,))
        other.start()
        with pytest.raises(ConfigurationError, match="nothing can be sent to"):
            send("127.0.0.1", server.getsockname()[1], seconds=0.0)
        other.join()


def test_an_address_of_ipv6_is_listened_on() -> None:
    with listen("::1", 0) as server, socket.create_connection(server.getsockname()[:2]) as sender:
        sender.sendall(b"all")
        sender.shutdown(socket.SHUT_WR)
        assert receive(server) == ("::1", 3, "")


@pytest.mark.parametrize("host", ["nosuch.invalid", "a..b", "192.0.2.1"])
def test_where_nobody_can_listen_is_said_in_a_sentence(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--listen", f"{host}:4545"]) == 1
    assert capsys.readouterr().err.startswith(f"feedline doctor: cannot listen on {host!r}, port 4545 (")


def test_nor_on_a_port_that_somebody_has(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert main(["doctor", "--listen", f"127.0.0.1:{server.getsockname()[1]}"]) == 1
    assert "(Address already in use)" in capsys.readouterr().err


def test_a_network_is_measured_in_images() -> None:
    assert str(network("trainer:5556", 1e6, 1000)).endswith("1,000 images/s of 1 kB")


@pytest.mark.parametrize("words", [["--image-size", "0"], ["--seconds", "0"], ["--seconds", "nan"]])
def test_numbers_of_which_nothing_comes_are_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["doctor", *words])
    assert f"got {words[1]!r}" in capsys.readouterr().err


def test_nobody_there_is_a_sentence_that_says_what_to_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(ConfigurationError, match=rf"run feedline doctor --listen 0\.0\.0\.0:{port}"):
        send("127.0.0.1", port)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("trainer:5556", ("trainer", 5556)), ("tcp://1.2.3.4:1", ("1.2.3.4", 1)), ("[::1]:7", ("::1", 7))],
)
def test_addresses_are_read_as_elsewhere(text: str, expected: tuple[str, int]) -> None:
    assert address(text) == expected


@pytest.mark.parametrize(
    "text", ["trainer", "trainer:", ":5556", "trainer:0", "trainer:x", "trainer:99999", "trainer:²"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="expected HOST:PORT"):
        address(text)
