"""A ticket becomes the bytes of its batch, and whatever goes wrong becomes a failure that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import skimage.data

from feedline.common.batch.layout import ALIGNMENT_BYTES, ArraySpec
from feedline.common.job.images import Job
from feedline.common.sample.image import ImageSpec
from feedline.common.wire.encoding import encode
from feedline.common.wire.protocol import MAX_TEXT_CHARS, FailureKind, Sample, Session, Ticket
from feedline.errors import DecodeError
from feedline.producer.building.batches import BatchBuilder, CancelledBuildError, failure_of
from feedline.producer.reading.decoders import load, load_sized
from feedline.producer.reading.roots import DataRoots
from feedline.transforms import RandomBrightness, RandomFlip, RandomRotation, Rescaling

Array = npt.NDArray[Any]

NAMES = ("astronaut.png", "chelsea.png", "coffee.jpg", "rocket.jpg")
IMAGE = ImageSpec(24, 32)
TARGETS = (ArraySpec("y", (2,), "float32"), ArraySpec("weight", (), "float64"))
PLAIN = Job(1, 5, 4, IMAGE, (), "uint8", ())
AUGMENTED = replace(PLAIN, transforms=(RandomFlip(), RandomRotation(0.3), RandomBrightness(0.5)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photographs from the scikit-image wheel."""
    result = tmp_path_factory.mktemp("photos")
    for name in NAMES:
        photo = getattr(skimage.data, name.split(".")[0])()
        assert cv2.imwrite(str(result / name), cv2.cvtColor(photo[:128, :192], cv2.COLOR_RGB2BGR))
    whole = (result / "coffee.jpg").read_bytes()
    (result / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    return result


@pytest.fixture
def roots(folder: Path) -> DataRoots:
    return DataRoots([str(folder)])


def ticket(*names: str, slot: int = 0, epoch: int = 0, targets: tuple[Array, ...] = ()) -> Ticket:
    samples = tuple(Sample((name,), row) for row, name in enumerate(names))
    return Ticket(1, epoch, 3, 11, slot, samples, targets)


def never() -> bool:
    return False


def arrays_of(job: Job, roots: DataRoots, order: Ticket) -> dict[str, Array]:
    """Build with a builder of its own."""
    data = BatchBuilder(job, roots).build(order, never)
    return job.layout(len(order.samples)).views(data)


def test_images_are_decoded_from_their_files_in_the_order_of_the_ticket(
    roots: DataRoots, folder: Path
) -> None:
    x = arrays_of(PLAIN, roots, ticket(*NAMES))["x"]
    assert (x.shape, x.dtype) == ((4, 24, 32, 3), np.uint8)
    for image, name in zip(x, NAMES, strict=True):
        np.testing.assert_array_equal(image, load((folder / name).read_bytes(), name, IMAGE))
    assert not np.array_equal(x[0], x[1])


def test_labels_and_weights_are_copied_bit_for_bit(roots: DataRoots) -> None:
    y = np.array([[1.5, -0.0], [np.nan, np.inf], [3.0, 4.0], [5.0, 6.0]], np.float32)
    weight = np.array([0.1, 0.2, 0.3, 1e300])
    job = replace(PLAIN, targets=TARGETS)
    arrays = arrays_of(job, roots, ticket(*NAMES, targets=(y, weight)))
    assert list(arrays) == ["x", "y", "weight"]
    assert arrays["y"].tobytes() == y.tobytes()
    assert arrays["weight"].tobytes() == weight.tobytes()
    assert arrays["y"].shape == (4, 2)
    assert arrays["weight"].shape == (4,)


@pytest.mark.parametrize("targets", [(), (np.zeros(4, np.float32),), (np.zeros((3, 2), np.float32),) * 2])
def test_labels_that_are_not_those_of_the_job_are_refused(
    roots: DataRoots, targets: tuple[Array, ...]
) -> None:
    with pytest.raises(ValueError, match=r"shape|argument|broadcast|zip"):
        arrays_of(replace(PLAIN, targets=TARGETS), roots, ticket(*NAMES, targets=targets))


def test_a_rescaled_batch_is_float(roots: DataRoots) -> None:
    whole = arrays_of(PLAIN, roots, ticket("coffee.jpg"))["x"]
    x = arrays_of(replace(PLAIN, transforms=(Rescaling(1 / 255),)), roots, ticket("coffee.jpg"))["x"]
    assert x.dtype == np.float32
    np.testing.assert_allclose(x, whole / 255, atol=1e-6)


def test_floats_may_be_asked_for_without_any_transform(roots: DataRoots) -> None:
    whole = arrays_of(PLAIN, roots, ticket("coffee.jpg"))["x"]
    x = arrays_of(replace(PLAIN, dtype="float32"), roots, ticket("coffee.jpg"))["x"]
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, whole)


# --- draws --------------------------------------------------------------------------------------


def drawn(roots: DataRoots, sample: Sample, *, job: Job = AUGMENTED, **order: int) -> bytes:
    """The pixels of one sample in a ticket that is otherwise `order`."""
    single = replace(ticket("chelsea.png"), samples=(sample,), **order)
    return arrays_of(job, roots, single)["x"].tobytes()


def test_draws_depend_on_seed_epoch_row_and_occurrence(roots: DataRoots) -> None:
    sample = Sample(("chelsea.png",), 2)
    variants = {
        drawn(roots, sample),
        drawn(roots, sample, epoch=1),
        drawn(roots, sample._replace(row=3)),
        drawn(roots, sample._replace(occurrence=1)),
        drawn(roots, sample, job=replace(AUGMENTED, seed=6)),
    }
    assert len(variants) == 5


def test_draws_depend_on_nothing_else(roots: DataRoots) -> None:
    sample = Sample(("chelsea.png",), 2)
    alone = drawn(roots, sample)
    assert drawn(roots, sample, step=77, lease_id=99, slot=3) == alone
    assert drawn(roots, sample, job=replace(AUGMENTED, job_id=9, batch_size=64)) == alone

    order = replace(ticket(*NAMES), samples=(Sample(("rocket.jpg",), 8), sample, Sample(("coffee.jpg",), 1)))
    assert arrays_of(AUGMENTED, roots, order)["x"][1].tobytes() == alone


def test_draws_do_not_depend_on_what_a_builder_built_before(roots: DataRoots) -> None:
    builder = BatchBuilder(AUGMENTED, roots)
    first = builder.build(ticket(*NAMES), never).tobytes()
    builder.build(ticket(*reversed(NAMES), epoch=4), never)
    assert builder.build(ticket(*NAMES), never).tobytes() == first


# --- slots --------------------------------------------------------------------------------------


def test_a_slot_is_used_again_and_others_stay_as_they_are(roots: DataRoots) -> None:
    builder = BatchBuilder(PLAIN, roots)
    first = builder.build(ticket(*NAMES, slot=0), never)
    kept = first.tobytes()
    other = builder.build(ticket(*reversed(NAMES), slot=1), never)
    assert first.tobytes() == kept
    assert not np.shares_memory(first, other)

    again = builder.build(ticket(*reversed(NAMES), slot=0), never)
    assert np.shares_memory(first, again)
    assert again.tobytes() == other.tobytes()


def test_slots_are_aligned_for_who_takes_them_without_a_copy(roots: DataRoots) -> None:
    builder = BatchBuilder(replace(PLAIN, targets=TARGETS[1:]), roots)
    for slot in range(5):
        data = builder.build(ticket("coffee.jpg", slot=slot, targets=(np.ones(1),)), never)
        assert data.ctypes.data % ALIGNMENT_BYTES == 0


def test_a_short_batch_has_the_bytes_of_its_samples_only(roots: DataRoots) -> None:
    job = replace(PLAIN, targets=TARGETS)
    builder = BatchBuilder(job, roots)
    values = (np.ones((4, 2), np.float32), np.ones(4))
    builder.build(ticket(*NAMES, targets=values), never)

    labels = (np.full((1, 2), 7, np.float32), np.full(1, 8.0))
    data = builder.build(ticket("rocket.jpg", targets=labels), never)
    assert data.nbytes == job.layout(1).num_bytes < job.slot_bytes
    arrays = job.layout(1).views(data)
    np.testing.assert_array_equal(arrays["x"], arrays_of(PLAIN, roots, ticket("rocket.jpg"))["x"])
    assert arrays["y"].tolist() == [[7.0, 7.0]]
    assert arrays["weight"].tolist() == [8.0]


# --- failures -----------------------------------------------------------------------------------


def failed(roots: DataRoots, order: Ticket, job: Job = PLAIN) -> tuple[FailureKind, str, str, str]:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is, it becomes a failure
        BatchBuilder(job, roots).build(order, never)
    failure = failure_of(order, caught.value)
    assert (failure.job_id, failure.lease_id) == (order.job_id, order.lease_id)
    encode(Session(b""), failure)
    return failure.kind, failure.path, failure.text, failure.traceback


def test_a_file_that_cannot_be_read_is_a_read_failure(roots: DataRoots) -> None:
    kind, path, text, trace = failed(roots, ticket("coffee.jpg", "nowhere.png"))
    assert (kind, path) == (FailureKind.READ, "nowhere.png")
    assert "not found" in text
    assert trace == ""


def test_a_file_that_is_no_whole_image_is_a_decode_failure(roots: DataRoots) -> None:
    kind, path, text, trace = failed(roots, ticket("coffee.jpg", "cut.jpg"))
    assert (kind, path) == (FailureKind.DECODE, "cut.jpg")
    assert text
    assert DecodeError.__name__ in trace


def test_anything_else_is_a_build_failure_that_names_the_files(
    roots: DataRoots, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("surprise")

    monkeypatch.setattr("feedline.producer.building.samples.load_sized", broken)
    kind, path, text, trace = failed(roots, ticket("coffee.jpg", "rocket.jpg"))
    assert kind is FailureKind.BUILD
    assert path == "coffee.jpg, rocket.jpg"
    assert text == "ZeroDivisionError: surprise"
    assert "in broken" in trace


def test_a_build_failure_of_a_large_batch_names_some_files_and_counts_the_rest() -> None:
    order = ticket(*[f"{i}.png" for i in range(100)])
    failure = failure_of(order, RuntimeError("no"))
    assert failure.path.startswith("0.png, 1.png")
    assert failure.path.endswith("and 92 more")


def test_a_failure_can_be_sent_however_much_an_error_has_to_say() -> None:
    failure = failure_of(ticket("a.png"), RuntimeError("x" * (2 * MAX_TEXT_CHARS)))
    encode(Session(b""), failure)
    assert failure.text.startswith("RuntimeError: xxx")


# --- cancellation -------------------------------------------------------------------------------


def test_a_build_is_given_up_between_two_samples(roots: DataRoots, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []

    def counted(data: bytes, path: str, *rest: Any) -> tuple[Array, tuple[int, int]]:
        built.append(path)
        return load_sized(data, path, *rest)

    monkeypatch.setattr("feedline.producer.building.samples.load_sized", counted)
    with pytest.raises(CancelledBuildError):
        BatchBuilder(PLAIN, roots).build(ticket(*NAMES), lambda: len(built) == 2)
    assert built == list(NAMES[:2])


def test_a_build_that_was_cancelled_before_it_began_reads_nothing(roots: DataRoots) -> None:
    with pytest.raises(CancelledBuildError):
        BatchBuilder(PLAIN, roots).build(ticket("nowhere.png"), lambda: True)
