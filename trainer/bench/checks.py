"""What the design promises, against what was measured. Pure: figures in, verdicts out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from feedline.trainer.bench.figures import Figure, first_wait_ms, per_batch_ms, rates, ratio, utilisation

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Check:
    """One promise.

    Attributes
    ----------
    what, measured, asked : str
        In words and numbers.
    met : bool
        Whether it was kept.
    """

    what: str
    measured: str
    asked: str
    met: bool

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def at_least(what: str, value: float, asked: float, unit: str = "") -> Check:
    """More is better."""
    return Check(what, f"{value:,.2f}{unit}", f"≥ {asked:,g}{unit}", value >= asked)


def at_most(what: str, value: float, asked: float, unit: str = "") -> Check:
    """Less is better."""
    return Check(what, f"{value:,.2f}{unit}", f"≤ {asked:,g}{unit}", value <= asked)


def find(results: Sequence[Result], name: str, case: str, **wanted: Any) -> Result | None:
    """The result of a contender, if it has one."""
    for result in results:
        same = all(result["case"][key] == value for key, value in wanted.items())
        if result["name"] == name and result["case"]["name"] == case and same and result["rounds"]:
            return result
    return None


def against(what: str, one: Result | None, other: Result | None, asked: float) -> list[Check]:
    """One contender's rate over another's, if both took part."""
    if one is None or other is None:
        return []
    value = ratio(rates(one["rounds"]), rates(other["rounds"])).median
    return [at_least(what, value, asked, " times")]


def case_checks(results: Sequence[Result], *, fast: bool = False) -> list[Check]:
    """Promises 1 to 4 and 6, as far as the contenders took part; more is asked of a `fast` decoder."""
    plain = {"through": "sequence", "cache": None, "over": "embedded"}
    png, jpeg = (find(results, "feedline", case, **plain, fast=True) for case in ("png", "jpeg"))
    limits = {case: find(results, "limit", case) for case in ("png", "jpeg", "dicom", "large")}
    by_opencv = find(results, "feedline", "png", **plain, fast=False) if fast else png
    checks = against("PNG by OpenCV, of bare OpenCV", by_opencv, limits["png"], 0.92)
    checks += against("PNG by Wuffs, of bare OpenCV", png, limits["png"], 1.8) if fast else []
    for peer in ("torch", "grain", "tfdata", "tfdata-service", "keras"):
        checks += against(f"PNG, over {peer}", png, find(results, peer, "png"), 1.0)
    checks += against("PNG, over keras-mp", png, find(results, "keras-mp", "png"), 5.0)
    checks += against("JPEG to 224, of bare OpenCV", jpeg, limits["jpeg"], 0.92)
    checks += against("JPEG to 224, over torch", jpeg, find(results, "torch", "jpeg"), 1.6)
    dicom = find(results, "feedline", "dicom", **plain)
    checks += against("DICOM with three windows, of bare OpenCV", dicom, limits["dicom"], 0.9)
    scaled = find(results, "feedline", "large", jpeg_scaling=True)
    checks += against("1600x1200 JPEG with jpeg_scaling, of bare OpenCV", scaled, limits["large"], 2.0)
    for cache, asked in (("memory", 12.0), ("disk", 8.0)):
        cached = find(results, "feedline", "png", cache=cache)
        checks += against(f"PNG, cache={cache}, of uncached bare OpenCV", cached, limits["png"], asked)
    over_tcp = find(results, "feedline", "jpeg", over="tcp")
    for link, asked in (("tcp-checksums", 0.97), ("tcp-curve", 0.5)):
        checks += against(
            f"JPEG to 224 over {link}, of bare tcp",
            find(results, "feedline", "jpeg", over=link),
            over_tcp,
            asked,
        )
    for name, through_sequence in (("png", png), ("jpeg", jpeg)):
        through_fit = find(results, "feedline", name, through="fit", cache=None)
        checks += against(f"{name}, fit over sequence", through_fit, through_sequence, 0.9)
    if png is not None:
        thread_ms = per_batch_ms(png["rounds"])["pool thread"]
        checks.append(at_most("pool thread, CPU a batch, shared memory", thread_ms, 0.5, " ms"))
    return checks


def step_checks(what: str, result: Result) -> list[Check]:
    """Promise 5: an emulated device is kept busy with `what`."""
    busy = Figure.of([utilisation(measured) for measured in result["rounds"]]).median
    return [
        at_least(f"{what}, device busy with steps of 1.15 times a batch", 100 * busy, 98, " %"),
        at_most(f"{what}, first wait of an epoch", first_wait_ms(result["rounds"]), 5, " ms"),
    ]
