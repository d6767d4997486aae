"""Addresses are checked before a socket sees them."""

from __future__ import annotations

import pytest

from feedline.common.wire.endpoints import (
    MAX_IPC_BYTES,
    check_connect,
    check_endpoint,
    is_ipv6,
    leaves_machine,
)
from feedline.errors import ConfigurationError

LOCAL = [
    "ipc:///run/feedline/pool",
    "ipc://pool",
    "tcp://127.0.0.1:5555",
    "tcp://127.3.2.1:1",
    "tcp://localhost:65535",
    "tcp://[::1]:5555",
]
REMOTE = ["tcp://trainer:5555", "tcp://10.0.0.1:5555", "tcp://[2001:db8::1]:5555", "tcp://localhost.evil:1"]
EVERYBODY = ["tcp://*:5555", "tcp://0.0.0.0:5555", "tcp://[::]:5555"]
MALFORMED = [
    "",
    "5555",
    "trainer:5555",
    "tcp://",
    "tcp://trainer",
    "tcp://trainer:",
    "tcp://:5555",
    "tcp://trainer:port",
    "tcp://trainer:-1",
    "tcp://trainer:5555/x",
    "tcp://two words:5555",
    "tcp://127.0.0.1:5555\n",
    "tcp://::1:5555",
    "ipc://",
    "inproc://x",
    "udp://127.0.0.1:5555",
]


@pytest.mark.parametrize("endpoint", LOCAL)
def test_an_endpoint_on_this_machine_needs_no_consent(endpoint: str) -> None:
    check_endpoint(endpoint, insecure=False)
    check_connect(endpoint, insecure=False)
    assert not leaves_machine(endpoint)


@pytest.mark.parametrize("endpoint", REMOTE + EVERYBODY)
def test_an_endpoint_that_others_reach_needs_keys_or_consent(endpoint: str) -> None:
    assert leaves_machine(endpoint)
    check_endpoint(endpoint, insecure=True)
    check_endpoint(endpoint, insecure=False, has_keys=True)
    with pytest.raises(ConfigurationError, match="other machines") as caught:
        check_endpoint(endpoint, insecure=False)
    for part in (endpoint, "feedline keygen DIR", "keys=DIR", "--keys DIR", "FEEDLINE_KEYS", "--insecure"):
        assert part in str(caught.value)


@pytest.mark.parametrize("endpoint", LOCAL + REMOTE)
def test_keys_and_no_security_are_not_taken_together(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="contradict each other"):
        check_endpoint(endpoint, insecure=True, has_keys=True)


@pytest.mark.parametrize("endpoint", MALFORMED)
def test_a_malformed_endpoint_is_quoted(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="tcp://HOST:PORT or ipc://PATH") as caught:
        check_endpoint(endpoint, insecure=True)
    assert repr(endpoint) in str(caught.value)


def test_a_listener_may_leave_the_port_to_the_system() -> None:
    check_endpoint("tcp://127.0.0.1:*", insecure=False)


@pytest.mark.parametrize("endpoint", ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://*:5555", "ipc://*"])
def test_who_connects_needs_one_address(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="one host and port"):
        check_connect(endpoint, insecure=True)


def test_who_connects_needs_consent_too() -> None:
    check_connect("tcp://trainer:5555", insecure=True)
    with pytest.raises(ConfigurationError, match="other machines"):
        check_connect("tcp://trainer:5555", insecure=False)


def test_a_port_that_zeromq_would_cut_to_16_bits_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"up to 65535, got 'tcp://127\.0\.0\.1:71091'"):
        check_endpoint("tcp://127.0.0.1:71091", insecure=False)


def test_a_socket_path_that_linux_would_not_take_is_refused() -> None:
    check_endpoint("ipc://" + "x" * MAX_IPC_BYTES, insecure=False)
    with pytest.raises(ConfigurationError, match="at most 107 bytes"):
        check_endpoint("ipc://" + "x" * (MAX_IPC_BYTES + 1), insecure=False)
    with pytest.raises(ConfigurationError, match="has 108"):
        check_endpoint("ipc://" + "é" * (MAX_IPC_BYTES // 2 + 1), insecure=False)


def test_ipv6_is_told_by_its_brackets() -> None:
    assert is_ipv6("tcp://[::1]:5555")
    assert not is_ipv6("tcp://127.0.0.1:5555")
    assert not is_ipv6("ipc:///tmp/[x]")
