"""Masks that are drawn: which pixel belongs to which region."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from skimage.draw import polygon2mask

from feedline.common.sample.regions import GRID, Region, Shape, joined
from feedline.errors import RemoteProtocolError
from feedline.producer.reading.regions import draw

SIZE = (80, 100)


def polygon(value: int, corners: Any) -> Region:
    numbers = np.rint(np.asarray(corners) * GRID).astype(np.int32)
    return Region(value, Shape.POLYGON, numbers.ravel())


def mask_of(*regions: Region, size: tuple[int, int] = SIZE, dtype: str = "uint8") -> npt.NDArray[Any]:
    return draw(joined(size, regions), dtype)


def star(rng: np.random.Generator, *, aside: float = 0.0) -> npt.NDArray[np.float64]:
    """Corners around a place, a little or far away."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 30)))
    radii = rng.uniform(5, 60, len(angles))
    place = rng.uniform(-aside, aside, 2) + np.array([50, 40])
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, np.newaxis] + place


def test_a_square_covers_its_pixels_and_no_other() -> None:
    expected = np.zeros(SIZE, np.uint8)
    expected[2:12, 1:11] = 7
    assert (mask_of(polygon(7, [(1, 2), (11, 2), (11, 12), (1, 12)])) == expected).all()


@pytest.mark.parametrize(
    ("left", "right", "columns"), [(0.5, 2.5, [0, 1]), (0.51, 2.51, [1, 2]), (1.2, 1.3, [])]
)
def test_a_pixel_belongs_to_a_region_by_its_centre(left: float, right: float, columns: list[int]) -> None:
    """One that lies on the border belongs to what is right of it."""
    mask = mask_of(polygon(1, [(left, 0), (right, 0), (right, 4), (left, 4)]))
    assert np.flatnonzero(mask[2]).tolist() == columns


@pytest.mark.parametrize("seed", range(20))
def test_polygons_are_those_of_scikit_image(seed: int) -> None:
    """Whose pixels lie at whole numbers, rows first; corners of thousandths meet no centre."""
    corners = np.round(star(np.random.default_rng(seed), aside=40), 3)
    drawn = np.rint(corners * GRID) / GRID + 1e-6
    expected = polygon2mask(SIZE, drawn[:, ::-1] - 0.5)
    assert (mask_of(polygon(1, corners)) != expected).sum() <= 1
    assert mask_of(polygon(1, corners[::-1])).tolist() == mask_of(polygon(1, corners)).tolist()


@pytest.mark.parametrize("seed", range(20))
def test_neighbours_that_share_a_border_leave_no_gap_and_do_not_overlap(seed: int) -> None:
    """A rectangle cut into triangles, wherever their corner is: each pixel belongs to exactly one."""
    rng = np.random.default_rng(seed)
    outer = [(0, 0), (100, 0), (100, 80), (0, 80)]
    middle = tuple(rng.uniform(1, 79, 2))
    pairs = zip(outer, outer[1:] + outer[:1], strict=True)
    parts = [mask_of(polygon(1, [*pair, middle])) for pair in pairs]
    assert (sum(part.astype(int) for part in parts) == 1).all()


def test_what_comes_later_lies_on_top_and_what_lies_outside_is_cut_off() -> None:
    far = [(-900, -900), (900, -900), (900, 900), (-900, 900)]
    mask = mask_of(polygon(1, far), polygon(300, [(10, 10), (20, 10), (20, 20)]), dtype="uint16")
    assert np.unique(mask).tolist() == [1, 300]
    assert not mask_of(polygon(1, np.add(far, 5000))).any()


def test_a_polygon_that_crosses_itself_is_inside_in_every_second_part() -> None:
    twice_around = [(0, 0), (20, 0), (20, 20), (0, 20), (0, 0), (5, 5), (15, 5), (15, 15), (5, 15), (5, 5)]
    mask = mask_of(polygon(1, twice_around))
    assert mask[:20, :20].sum() == 400 - 100
    assert not mask[5:15, 5:15].any()


def test_runs_go_down_the_columns() -> None:
    rng = np.random.default_rng(0)
    wanted = cv2.resize(rng.integers(0, 2, (4, 5), np.uint8), (6, 8), interpolation=cv2.INTER_NEAREST)
    flat = wanted.T.ravel()
    ends = [*np.flatnonzero(np.diff(flat)) + 1, len(flat)]
    lengths = np.diff([0, *([0] if flat[0] else []), *ends]).astype(np.int32)
    assert (mask_of(Region(4, Shape.RUNS, lengths), size=(8, 6)) == wanted * 4).all()


@pytest.mark.parametrize("lengths", [[3, 4], [50], [-1, 49]])
def test_runs_of_another_number_of_pixels_are_refused(lengths: list[int]) -> None:
    with pytest.raises(RemoteProtocolError, match="for a mask of 48"):
        mask_of(Region(4, Shape.RUNS, np.array(lengths, np.int32)), size=(8, 6))
