"""Where the page is served, and to whom."""

from __future__ import annotations

import pytest

from feedline.common.errors import ConfigurationError
from feedline.trainer.commands.cli import main
from feedline.trainer.monitor.access import TOKEN_VARIABLE, Access, Address

TOKEN = "0123456789abcdef"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8265", "127.0.0.1:8265"),
        ("localhost:0", "localhost:0"),
        ("[::1]:8265", "[::1]:8265"),
        ("http://node7:80/", "node7:80"),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, expected: str) -> None:
    assert str(Address.parse(text)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "8265",
        "127.0.0.1",
        "127.0.0.1:65536",
        ":8265",
        "a b:1",
        8265,
        True,
        "a:-1",
        "http://a",
        "https://",
        "https://a/b",
    ],
)
def test_anything_else_is_refused_and_quoted(text: object) -> None:
    with pytest.raises(ConfigurationError, match="HOST:PORT") as caught:
        Address.parse(text)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://trainer.example", Address("trainer.example", 443, is_encrypted=True)),
        ("https://[::1]:8443/", Address("::1", 8443, is_encrypted=True)),
        ("http://node7:80", Address("node7", 80)),
        ("node7:80", Address("node7", 80)),
    ],
)
def test_one_that_is_asked_may_be_asked_over_tls(text: str, expected: Address) -> None:
    assert Address.to_ask(text, "--connect") == expected
    assert Address.to_ask(str(expected), "--connect") == expected


def test_nobody_listens_over_tls() -> None:
    for what in ("monitor", "--web"):
        with pytest.raises(
            ConfigurationError, match=f"{what}='https://node7:8265'.* without TLS: say HOST:PORT"
        ):
            Access.of("https://node7:8265", {TOKEN_VARIABLE: TOKEN}, what)


@pytest.mark.parametrize("host", ["0.0.0.0:8265", "node7:8265", "[::]:8265", "10.0.0.4:1"])
def test_beyond_this_machine_a_token_is_needed(host: str) -> None:
    with pytest.raises(ConfigurationError, match=TOKEN_VARIABLE):
        Access.of(host, {})
    access = Access.of(host, {TOKEN_VARIABLE: TOKEN})
    assert not access.may_read("")
    assert access.may_read(f"Bearer {TOKEN}")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost:1", "[::1]:1"])
def test_on_this_machine_all_may_look_and_nobody_may_scale_without_a_token(host: str) -> None:
    access = Access.of(host, {})
    assert access.may_read("")
    for given in ("", "Bearer ", f"Bearer {TOKEN}"):
        assert not access.may_change(given)


@pytest.mark.parametrize("given", ["", TOKEN, f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer é", "Bearer "])
def test_who_has_another_token_may_not_scale(given: str) -> None:
    access = Access.of("127.0.0.1:1", {TOKEN_VARIABLE: TOKEN})
    assert not access.may_change(given)
    assert access.may_change(f"Bearer {TOKEN}")


def test_a_token_that_can_be_guessed_is_refused_and_none_is_shown() -> None:
    with pytest.raises(ConfigurationError, match="16 ASCII") as caught:
        Access.of("127.0.0.1:1", {TOKEN_VARIABLE: "secret"})
    assert "secret" not in str(caught.value)
    assert TOKEN not in repr(Access.of("127.0.0.1:1", {TOKEN_VARIABLE: TOKEN}))


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN}\r\nX: y", f"{TOKEN}\x7f"])
def test_a_token_that_no_request_can_carry_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(ConfigurationError, match="which no request can carry") as caught:
        Access.of("127.0.0.1:1", {TOKEN_VARIABLE: token})
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("token", [f"{TOKEN}\n", f"{TOKEN}€"])
def test_who_looks_with_such_a_token_is_told_so(
    token: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(TOKEN_VARIABLE, token)
    assert main(["monitor", "--connect", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith(f"feedline monitor: {TOKEN_VARIABLE} ")


def test_a_name_that_cannot_be_is_said_in_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "--connect", "a..b:1"]) == 1
    assert capsys.readouterr().err.startswith("feedline monitor: a..b:1 cannot be asked: ")


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1:8265", True),
        ("localhost:8265", True),
        ("[::1]:8265", True),
        ("[::1]", True),
        ("evil.example:8265", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_a_name_that_others_point_to_this_machine_is_not_answered(host: str, is_ours: bool) -> None:
    assert Access.of("127.0.0.1:8265", {}).may_be_called(host) is is_ours
