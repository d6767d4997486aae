"""Messages survive the wire, and nothing that is not a message gets past `decode`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.common.wire import encoding
from feedline.common.wire.encoding import decode, encode
from feedline.common.wire.protocol import (
    MAX_FRAMES,
    MAX_HEADER_BYTES,
    MAX_TEXT_CHARS,
    VERSION,
    ArenaAnswer,
    ArenaOffer,
    BadFile,
    Batch,
    Buffer,
    Cancel,
    Cancelled,
    CloseJob,
    Failure,
    FailureKind,
    ForgetSlots,
    Goodbye,
    Heartbeat,
    Hello,
    JobUnknown,
    Message,
    Notice,
    OpenJob,
    Refusal,
    Refuse,
    Sample,
    Session,
    Ticket,
    Welcome,
    new_id,
)
from feedline.errors import LocalProtocolError, ProtocolError, RemoteProtocolError

SESSION = Session(b"p" * 16, b"t" * 16)
MESSAGES: list[Message] = [
    Hello(VERSION, "producer-1", "host", 4711, {"numpy": "2.1.0"}),
    Welcome(),
    Welcome(checksums=True),
    Refuse(Refusal.VERSION, "speak version 1"),
    OpenJob({"job_id": 3, "transforms": [["flip", 0.5, None]], "nested": {"a": b"\x00"}}, 10),
    CloseJob(3),
    Ticket(3, 1, 2, 99, 0, (Sample(("a.jpg", "b.png"), 7), Sample(("ä.jpg",), 8, 2)), (b"1234", b"")),
    Cancel(99),
    Cancelled(99),
    Batch(3, 99, 1234, b"pixels"),
    Batch(3, 99, 1234, b"pixels", (), b"checksum"),
    Batch(3, 99, 1234, None),
    ArenaOffer(3, "feedline-1-2-3", b"n" * 16, 4096, 10),
    ArenaAnswer(3, b"n" * 16, attached=True),
    Failure(3, 99, FailureKind.DECODE, "a.jpg", "truncated", "Traceback ..."),
    Failure(
        3,
        99,
        FailureKind.READ,
        "a.jpg",
        "is gone",
        "",
        (BadFile(0, 1, FailureKind.READ, "is gone"), BadFile(2, 0, FailureKind.DECODE, "is half a file")),
    ),
    Notice("no memory cache"),
    Notice("1.png has 16 bits a channel", "depth of job 3"),
    JobUnknown(3, 99),
    ForgetSlots(3, (0, 7)),
    Heartbeat(),
    Heartbeat((1, 2, 2**64 - 1), "reading 1.png for 3 s"),
    Goodbye("SIGTERM"),
]


MEANT: dict[str, set[object]] = {
    "attached": {True},
    "careful": {True},
    "checksums": {True},
    "nonce": {b"bytes"},
    "checksum": {b"bytes"},
}
"""What is odd in any field but these."""


def wire(tag: Any, fields: Any, producer_id: Any = b"p" * 16, pool_id: Any = b"t" * 16) -> list[bytes]:
    """Frames with whatever header."""
    return [msgpack.packb([tag, producer_id, pool_id, fields])]


def plain(message: Message) -> tuple[str, dict[str, Any], list[Any]]:
    """Tag, fields and buffers, as they are on the wire."""
    header, *buffers = encode(SESSION, message)
    tag, _, _, fields = msgpack.unpackb(header)
    return tag, fields, buffers


def name_of(message: Any) -> str:
    return message.tag if hasattr(message, "tag") else str(message)


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_every_message_comes_back_equal(message: Message) -> None:
    assert decode(encode(SESSION, message)) == (SESSION, message)


def test_every_kind_of_message_is_among_those_tried_here() -> None:
    assert {type(message) for message in MESSAGES} == set(encoding._KINDS.values())


def test_a_hello_needs_no_pool_id() -> None:
    session = Session(new_id())
    assert decode(encode(session, MESSAGES[0]))[0] == session


def test_the_first_frame_is_msgpack_of_type_ids_and_fields() -> None:
    """Pinned, because a peer of another version must still understand a hello and a refusal."""
    assert msgpack.unpackb(encode(SESSION, MESSAGES[0])[0]) == [
        "hello",
        b"p" * 16,
        b"t" * 16,
        {
            "version": VERSION,
            "name": "producer-1",
            "host": "host",
            "pid": 4711,
            "libraries": {"numpy": "2.1.0"},
        },
    ]
    assert msgpack.unpackb(encode(SESSION, Refuse(Refusal.VERSION, "text"))[0])[3] == {
        "reason": "version",
        "text": "text",
    }


@pytest.mark.parametrize(
    ("fields", "version"),
    [
        ({"version": VERSION + 1, "name": "p", "host": "h", "pid": 1, "libraries": {}}, VERSION + 1),
        ({"version": 0, "shape": "of an older hello"}, 0),
        ({"version": "2.0"}, 0),
        ({"version": -3}, 0),
        ({}, 0),
    ],
)
def test_a_hello_of_another_version_is_understood_so_that_it_can_be_refused(
    fields: dict[str, Any], version: int
) -> None:
    assert decode(wire("hello", fields))[1] == Hello(version, "", "", 0, {})


def test_ids_are_16_random_bytes() -> None:
    assert len({new_id() for _ in range(100)}) == 100
    assert {len(new_id()) for _ in range(10)} == {16}


def test_buffers_are_not_copied_on_the_way_out() -> None:
    pixels = np.arange(1000, dtype=np.uint8)
    frames = encode(SESSION, Batch(1, 2, 3, pixels))
    assert frames[1] is pixels


def test_buffers_are_not_copied_on_the_way_in() -> None:
    header = bytearray(encode(SESSION, Batch(1, 2, 3, b""))[0])
    pixels = bytearray(b"pixels")
    message = decode([memoryview(header), memoryview(pixels)])[1]
    assert isinstance(message, Batch)
    pixels[0] = 0
    assert bytes(message.data) == b"\x00ixels"


def test_targets_of_a_ticket_are_not_copied() -> None:
    labels = np.zeros(32, np.float32)
    ticket = Ticket(1, 0, 0, 1, 0, (Sample(("a",), 0),), (labels, labels))
    assert [frame is labels for frame in encode(SESSION, ticket)[1:]] == [True, True]


def test_file_names_that_are_not_utf8_come_back_as_python_spells_them() -> None:
    path = b"caf\xe9.jpg".decode("utf-8", "surrogateescape")
    ticket = Ticket(1, 0, 0, 1, 0, (Sample((path,), 0),), ())
    assert decode(encode(SESSION, ticket))[1] == ticket


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([], "1 to 34 frames, not 0"),
        ([b""], "header"),
        ([b"\xc1"], "not ours"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "not ours"),
        ([b"\x94\xa5hello"], "not ours"),
        ([b"\xdd\xff\xff\xff\xff"], "not ours"),
        ([b"\x91" * 5000], "not ours"),
        ([msgpack.packb(None)], "not ours"),
        ([msgpack.packb("four")], "header is not"),
        ([msgpack.packb({"hello": 1, b"x": 2, "y": 3, "z": 4})], "header is not"),
        ([msgpack.packb(["hello", b"", b""])], "not ours"),
        ([msgpack.packb(["hello", b"", b"", {}, 0])], "not ours"),
        (wire("cancel", {"lease_id": 1}, producer_id=b"short"), "header is not"),
        (wire("cancel", {"lease_id": 1}, pool_id="t" * 16), "header is not"),
        (wire("cancel", {"lease_id": 1}, pool_id=None), "header is not"),
        (wire(b"cancel", {"lease_id": 1}), "header is not"),
        (wire("cancel", [1]), "header is not"),
        (wire("launch", {}), "unknown message 'launch'"),
        (wire("", {}), "unknown message ''"),
        (wire("x" * 1000, {}), "unknown message 'x{79}$"),
    ],
)
def test_what_is_no_message_is_refused(frames: list[bytes], expected: str) -> None:
    with pytest.raises(RemoteProtocolError, match=expected):
        decode(frames)


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_an_unknown_field_is_refused(message: Message) -> None:
    tag, fields, buffers = plain(message)
    with pytest.raises(RemoteProtocolError, match=r"should not.*'extra'"):
        decode(wire(tag, {**fields, "extra": 1}) + buffers)


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_a_missing_field_is_refused_by_name(message: Message) -> None:
    tag, fields, buffers = plain(message)
    for name in fields.keys() - {"version"}:
        less = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(RemoteProtocolError, match=f"field '{name}' of {tag}"):
            decode(wire(tag, less) + buffers)


@pytest.mark.parametrize("message", MESSAGES, ids=name_of)
def test_a_field_of_a_type_that_no_field_has_is_refused_by_name(message: Message) -> None:
    tag, fields, buffers = plain(message)
    for name in fields.keys() - {"version"}:
        for odd in {None, True, 1.5, float("nan"), b"bytes"} - MEANT.get(name, set()):
            with pytest.raises(RemoteProtocolError, match=f"field '{name}' of {tag}"):
                decode(wire(tag, {**fields, name: odd}) + buffers)


@pytest.mark.parametrize(
    ("tag", "fields"),
    [
        ("cancel", {"lease_id": -1}),
        ("cancel", {"lease_id": "1"}),
        ("cancel", {"lease_id": [1]}),
        ("heartbeat", {"leases": [1, -2]}),
        ("heartbeat", {"leases": [True]}),
        ("heartbeat", {"leases": b"\x01\x02"}),
        ("heartbeat", {"leases": {}}),
        ("heartbeat", {"leases": ""}),
        ("heartbeat", {"leases": 7}),
        ("goodbye", {"text": "x" * (MAX_TEXT_CHARS + 1)}),
        ("hello", {"version": VERSION, "name": "", "host": "", "pid": -1, "libraries": {}}),
        ("hello", {"version": VERSION, "name": "", "host": "", "pid": 1, "libraries": {"numpy": 2}}),
        ("hello", {"version": VERSION, "name": "", "host": "", "pid": 1, "libraries": {b"numpy": "2"}}),
        ("hello", {"version": VERSION, "name": "", "host": "", "pid": 1, "libraries": []}),
        ("job", {"job": []}),
        ("refuse", {"reason": "mood", "text": ""}),
        ("refuse", {"reason": ["version"], "text": ""}),
    ],
)
def test_a_field_with_a_value_it_cannot_have_is_refused(tag: str, fields: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError, match=f"field '.*' of {tag} is not a"):
        decode(wire(tag, fields))


@pytest.mark.parametrize(
    "samples",
    [
        "abc",
        {"abc": 1},
        [["a.jpg", 0, 0]],
        [[{"a.jpg": 1}, 0, 0]],
        [[["a.jpg"], 0]],
        [[["a.jpg"], 0, 0, 0]],
        [[["a.jpg"], -1, 0]],
        [[["a.jpg"], 0, -1]],
        [[["a.jpg"], 0.0, 0]],
        [[[b"a.jpg"], 0, 0]],
        [[[None], 0, 0]],
        [None],
        ["abc"],
        [b"abc"],
    ],
)
def test_samples_of_a_wrong_shape_are_refused(samples: Any) -> None:
    tag, fields, buffers = plain(Ticket(3, 1, 2, 99, 0, (), ()))
    with pytest.raises(RemoteProtocolError, match="field 'samples' of ticket"):
        decode(wire(tag, {**fields, "samples": samples}) + buffers)


def test_a_batch_carries_one_buffer_at_most() -> None:
    header = encode(SESSION, Batch(1, 2, 3, b""))[0]
    with pytest.raises(RemoteProtocolError, match="1 buffers"):
        decode([header, b"", b""])


def test_a_batch_cannot_hide_its_buffer_in_the_header() -> None:
    tag, fields, _ = plain(Batch(1, 2, 3, b""))
    with pytest.raises(RemoteProtocolError, match=r"should not.*'data'"):
        decode([*wire(tag, {**fields, "data": b"pixels"}), b"pixels"])


def test_a_message_without_buffers_carries_none() -> None:
    with pytest.raises(RemoteProtocolError, match=r"should not.* 1 buffers"):
        decode([*encode(SESSION, Cancel(1)), b"stowaway"])


def test_too_many_frames_are_refused_before_anything_is_read() -> None:
    with pytest.raises(RemoteProtocolError, match="1 to 34 frames, not 35"):
        decode([b""] * (MAX_FRAMES + 1))


def test_an_oversized_header_is_refused_before_it_is_read() -> None:
    with pytest.raises(RemoteProtocolError, match="at most 8388608 bytes"):
        decode([bytes(MAX_HEADER_BYTES + 1)])


# --- Hypothesis ----------------------------------------------------------------------------------

many = settings(max_examples=300, derandomize=True, deadline=None)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=17),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=6,
)


def is_understood_or_refused(frames: Sequence[Buffer]) -> bool:
    """Whatever it is: it is a message that can be said again, or refused by the one error that means it."""
    try:
        session, message = decode(frames)
    except ProtocolError as error:
        return type(error) is RemoteProtocolError
    return decode(encode(session, message)) == (session, message)


@many
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_random_bytes_never_raise_anything_but_the_protocol_error(frames: list[bytes]) -> None:
    assert is_understood_or_refused(frames)


@many
@given(st.sampled_from(MESSAGES), st.data())
def test_a_header_with_random_parts_never_raises_anything_but_the_protocol_error(
    message: Message, data: st.DataObject
) -> None:
    header, *buffers = encode(SESSION, message)
    parts = msgpack.unpackb(header)
    spot = data.draw(st.integers(0, 4))
    if spot < 4:
        parts[spot] = data.draw(values)
    else:
        parts[3][data.draw(st.sampled_from([*parts[3], "extra"]))] = data.draw(values)
    assert is_understood_or_refused([msgpack.packb(parts), *buffers])


@many
@given(st.sampled_from(MESSAGES), st.data())
def test_flipped_cut_and_added_bytes_never_raise_anything_but_the_protocol_error(
    message: Message, data: st.DataObject
) -> None:
    header, *buffers = encode(SESSION, message)
    raw = bytearray(header)
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    start, end = data.draw(st.tuples(st.integers(0, 2), st.integers(len(raw) - 2, len(raw))))
    assert is_understood_or_refused([raw[start:end] + data.draw(st.binary(max_size=2)), *buffers])


@many
@given(
    st.builds(
        Ticket,
        *[st.integers(0, 2**64 - 1)] * 5,
        st.lists(
            st.builds(
                Sample, st.lists(st.text(), max_size=3).map(tuple), st.integers(0, 10**9), st.integers(0, 9)
            ),
            max_size=4,
        ).map(tuple),
        st.lists(st.binary(max_size=9), max_size=MAX_FRAMES - 1).map(tuple),
    )
)
def test_any_ticket_comes_back_equal(ticket: Ticket) -> None:
    assert decode(encode(SESSION, ticket))[1] == ticket


# --- what we must not send -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (Goodbye("x" * (MAX_TEXT_CHARS + 1)), "'text' of goodbye"),
        (Cancel(-1), "'lease_id' of cancel"),
        (Cancel(2**64), "cancel"),
        (Cancel(np.int64(3)), "'lease_id' of cancel"),  # type: ignore[arg-type]
        (Goodbye(None), "'text' of goodbye"),  # type: ignore[arg-type]
        (Heartbeat((1, -1)), "'leases' of heartbeat"),
        (OpenJob({"job_id": object()}, 2), "job message"),
        (Hello(1, "", "", 1, {"numpy": 2}), "'libraries' of hello"),  # type: ignore[dict-item]
        (Ticket(1, 0, 0, 0, 0, (), (b"",) * MAX_FRAMES), "34 buffers"),
        (OpenJob({"blob": bytes(MAX_HEADER_BYTES)}, 2), "header bytes"),
        (Ticket(1, 0, 0, 0, 0, (Sample(("x" * 99_000,), 0),) * 90, ()), "smaller batches or shorter paths"),
    ],
    ids=name_of,
)
def test_what_the_other_side_would_refuse_is_not_sent(message: Message, expected: str) -> None:
    with pytest.raises(LocalProtocolError, match=expected):
        encode(SESSION, message)


def test_the_most_that_may_be_sent_is_understood() -> None:
    ticket = Ticket(1, 0, 0, 0, 0, (), (b"",) * (MAX_FRAMES - 1))
    assert decode(encode(SESSION, ticket))[1] == ticket
    longest = replace(MESSAGES[-1], text="x" * MAX_TEXT_CHARS)  # type: ignore[call-arg]
    assert decode(encode(SESSION, longest))[1] == longest
