"""A training behind a proxy with TLS: its certificate is verified, and nobody else is told the token."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from feedline.errors import FeedlineError
from feedline.trainer.commands.cli import main
from feedline.trainer.monitor.access import TOKEN_VARIABLE, Address
from feedline.trainer.monitor.elsewhere import TrainingSource, view_at
from feedline.trainer.monitor.facts import Facts
from feedline.trainer.monitor.history import History
from feedline.trainer.monitor.view import view_of

TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of 127.0.0.1, signed by itself; its key is in the same file."""
    folder = tmp_path_factory.mktemp("tls")
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=here"
    outputs = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(["openssl", *words.split(), *outputs], cwd=folder, check=True, capture_output=True)
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return both


class Training(BaseHTTPRequestHandler):
    """Answers with the view of a pool that does nothing, to who has the token."""

    def do_GET(self) -> None:
        """See `BaseHTTPRequestHandler`."""
        is_known = self.headers["Authorization"] == f"Bearer {TOKEN}"
        body = json.dumps(view_of(Facts(1.0), History()) if is_known else {"error": "the token"}).encode()
        self.send_response(200 if is_known else 401)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class TLSServer(HTTPServer):
    """A client that does not believe its certificate goes away."""

    def get_request(self) -> tuple[socket.socket, object]:
        """See `HTTPServer`."""
        with suppress(ssl.SSLError):
            return super().get_request()
        raise OSError("no handshake")


@contextmanager
def a_training_over_tls(certificate: Path) -> Iterator[str]:
    """Yields its https:// address."""
    server = TLSServer(("127.0.0.1", 0), Training)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_is_asked_over_tls_and_its_certificate_is_verified(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    with a_training_over_tls(certificate) as url:
        assert main(["monitor", "--connect", url]) == 1
        said = capsys.readouterr().err
        assert said.startswith(f"feedline monitor: the certificate of {url} is not believed (self-signed")
        assert "SSL_CERT_FILE" in said
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert main(["monitor", "--connect", url]) == 0
        assert "warming up" in capsys.readouterr().out
        source = TrainingSource(Address.to_ask(url, "--connect"))
        assert source.view(0.0, f"Bearer {TOKEN}").status == 200


def test_who_listens_there_without_tls_gets_nothing_of_the_token() -> None:
    heard: list[bytes] = []

    def listen(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            heard.append(connection.recv(65536))
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n{}")
            connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while more := connection.recv(65536):
                    heard.append(more)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=listen, args=(server,))
        thread.start()
        address = Address.to_ask(f"https://127.0.0.1:{server.getsockname()[1]}", "--connect")
        with pytest.raises(FeedlineError, match="cannot be asked"):
            view_at(address, TOKEN)
        thread.join()
    assert heard[0]
    assert TOKEN.encode() not in b"".join(heard)
    assert b"Authorization" not in b"".join(heard)
