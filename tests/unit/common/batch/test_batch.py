"""The arrays of a batch lie where the layout says, aligned and apart."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedline.common.batch.layout import (
    ALIGNMENT_BYTES,
    DTYPES,
    ArraySpec,
    BatchLayout,
    aligned,
    digest,
    empty_buffer,
    zero_buffer,
)
from feedline.errors import ConfigurationError

layouts = st.builds(
    BatchLayout,
    st.lists(
        st.builds(
            lambda shape, dtype: (tuple(shape), dtype),
            st.lists(st.integers(1, 7), max_size=3),
            st.sampled_from(DTYPES),
        ),
        min_size=1,
        max_size=5,
    ).map(lambda parts: tuple(ArraySpec(f"a{i}", *part) for i, part in enumerate(parts))),
    st.integers(1, 9),
)
many = settings(max_examples=200, derandomize=True, deadline=None)


def test_a_typical_batch_is_laid_out_by_hand() -> None:
    """Two 3x5 RGB images (90 bytes), two float labels (8 bytes): 128 + 64."""
    layout = BatchLayout((ArraySpec("x", (3, 5, 3), "uint8"), ArraySpec("y", (), "float32")), 2)
    assert layout.offsets == (0, 128)
    assert layout.num_bytes == 192


@pytest.mark.parametrize(("num", "expected"), [(0, 0), (1, 64), (63, 64), (64, 64), (65, 128)])
def test_bytes_are_rounded_up_to_the_alignment(num: int, expected: int) -> None:
    assert aligned(num) == expected


@many
@given(layouts)
def test_arrays_are_aligned_and_do_not_overlap(layout: BatchLayout) -> None:
    end = 0
    for spec, offset in zip(layout.specs, layout.offsets, strict=True):
        assert offset % ALIGNMENT_BYTES == 0
        assert offset >= end
        end = offset + prod(spec.shape) * np.dtype(spec.dtype).itemsize * layout.num_samples
    assert end <= layout.num_bytes
    assert layout.num_bytes % ALIGNMENT_BYTES == 0


@many
@given(layouts)
def test_what_is_written_through_views_is_read_back_from_the_bytes(layout: BatchLayout) -> None:
    rng = np.random.Generator(np.random.PCG64(layout.num_bytes))
    buffer = empty_buffer(layout.num_bytes)
    written = {}
    for name, view in layout.views(buffer).items():
        view[...] = rng.integers(0, 2, view.shape)
        written[name] = view.copy()
    read = BatchLayout(layout.specs, layout.num_samples).views(bytes(buffer))
    assert list(read) == [spec.name for spec in layout.specs]
    assert digest(read) == digest(written)


@many
@given(layouts)
def test_views_have_the_shapes_and_types_of_their_specs(layout: BatchLayout) -> None:
    views = layout.views(bytes(layout.num_bytes))
    for spec in layout.specs:
        assert views[spec.name].shape == (layout.num_samples, *spec.shape)
        assert views[spec.name].dtype == np.dtype(spec.dtype)


@many
@given(layouts)
def test_a_short_batch_fits_into_the_slot_of_a_full_one(layout: BatchLayout) -> None:
    for num_samples in range(1, layout.num_samples):
        assert BatchLayout(layout.specs, num_samples).num_bytes <= layout.num_bytes


def test_a_short_batch_is_read_from_the_front_of_a_longer_buffer() -> None:
    layout = BatchLayout((ArraySpec("x", (2,), "uint8"), ArraySpec("y", (), "int64")), 3)
    buffer = empty_buffer(4096)
    buffer[:] = 7
    views = layout.views(buffer)
    views["x"][...], views["y"][...] = 1, 2
    assert buffer[:6].tolist() == [1] * 6
    assert np.frombuffer(buffer, np.int64, 3, 64).tolist() == [2] * 3
    assert set(buffer[layout.num_bytes :].tolist()) == {7}


def test_views_write_to_the_buffer_unless_it_is_read_only() -> None:
    layout = BatchLayout((ArraySpec("x", (2,), "uint8"),), 1)
    buffer = bytearray(layout.num_bytes)
    layout.views(buffer)["x"][...] = 9
    assert buffer[:2] == b"\x09\x09"
    assert not layout.views(bytes(buffer))["x"].flags.writeable


def test_a_buffer_that_is_too_short_is_not_read() -> None:
    layout = BatchLayout((ArraySpec("x", (100,), "uint8"),), 1)
    with pytest.raises(TypeError, match="buffer is too small"):
        layout.views(bytes(99))


def test_heap_buffers_start_aligned_and_have_the_length_asked_for() -> None:
    for num_bytes in (1, 63, 64, 1000, 100_000):
        buffer = empty_buffer(num_bytes)
        assert (buffer.nbytes, buffer.ctypes.data % ALIGNMENT_BYTES) == (num_bytes, 0)


def test_views_of_an_aligned_buffer_are_aligned_themselves() -> None:
    layout = BatchLayout((ArraySpec("x", (5, 7, 3), "uint8"), ArraySpec("y", (3,), "float64")), 3)
    for view in layout.views(empty_buffer(layout.num_bytes)).values():
        assert view.ctypes.data % ALIGNMENT_BYTES == 0


def test_specs_travel_as_plain_values() -> None:
    spec = ArraySpec("y1", (2, 3), "float16")
    assert spec.to_wire() == ["y1", [2, 3], "float16"]
    assert ArraySpec.from_wire(spec.to_wire()) == spec


@pytest.mark.parametrize("dtype", ["object", "complex64", "uint32", "float", ">f4", ""])
def test_an_unknown_dtype_is_quoted(dtype: str) -> None:
    with pytest.raises(ConfigurationError, match=f"dtype of 'x' .*got '{dtype}'"):
        ArraySpec("x", (), dtype)


@pytest.mark.parametrize("shape", [(0,), (3, -1)])
def test_an_impossible_shape_is_quoted(shape: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match=r"shape of 'x' .*got"):
        ArraySpec("x", shape, "uint8")


def test_the_digest_sees_names_shapes_types_and_every_byte() -> None:
    array = np.arange(12, dtype=np.uint8)
    base = digest({"x": array})
    changed = array.copy()
    changed[-1] ^= 1
    others = [
        {"y": array},
        {"x": array.reshape(3, 4)},
        {"x": array.view(np.int8)},
        {"x": changed},
        {"x": array, "y": array},
    ]
    assert len({base, *map(digest, others)}) == 1 + len(others)
    assert digest({"x": np.asfortranarray(array.reshape(3, 4))}) == digest({"x": array.reshape(3, 4)})


def test_a_buffer_of_zeros_is_aligned_and_can_be_written() -> None:
    for num_bytes in (1, 4097, 100_000_000):
        buffer = zero_buffer(num_bytes)
        assert buffer.shape == (num_bytes,)
        assert buffer.ctypes.data % ALIGNMENT_BYTES == 0
        assert not buffer[:: 1 << 20].any()
        buffer[-1:] = 7
