"""The page in a real browser: it loads, lives, can be read, and asks nobody but its server."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser import Browser, a_browser, is_installed
from children import wait_for, wait_for_producers
from made_views import CrowdedSource
from planted import broken_pictures, napping, pictures

from feedline import BatchSequence, ProducerPool
from feedline.trainer.monitor.access import Access, Address
from feedline.trainer.monitor.reply import Reply
from feedline.trainer.monitor.server import MonitorServer

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not is_installed(), reason="chromium and chromedriver are not installed"),
]

SHOWN_WITHIN_S = 3.0
"""A producer that was killed is seen on the page."""

PICTURES = os.environ.get("FEEDLINE_PICTURES")
"""A folder to write pictures for the docs to."""

SMALL, LARGE = 4.5, 3.0
"""Contrast of text and of large text, by WCAG 2.2, success criterion 1.4.3."""

FAINT_TEXTS = """
const shade = (colour) => colour.match(/[\\d.]+/g).map(Number);
const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const light = ([r, g, b]) =>
  0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const colour = shade(getComputedStyle(at).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
  }
  return [255, 255, 255];
};
const faint = [], texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
let num = 0;
while (texts.nextNode()) {
  const node = texts.currentNode.parentElement, text = texts.currentNode.textContent.trim();
  if (!text || !node.checkVisibility()) continue;
  num += 1;
  const style = getComputedStyle(node), size = parseFloat(style.fontSize);
  const bold = Number(style.fontWeight) >= 700;
  const [a, b] = [light(shade(style.color)), light(ground(node))].sort((x, y) => y - x);
  const least = size >= 24 || (bold && size >= 18.66) ? arguments[1] : arguments[0];
  if ((a + 0.05) / (b + 0.05) < least) faint.push(`${text}: ${((a + 0.05) / (b + 0.05)).toFixed(2)}`);
}
return [num, faint];
"""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with a_browser(tmp_path / "chromium") as one:
        yield one


@contextmanager
def a_crowd() -> Iterator[str]:
    """The page of 50 producers and 3 jobs."""
    server = MonitorServer(CrowdedSource(), Access(Address("127.0.0.1", 0)))
    try:
        yield f"http://{server.address}"
    finally:
        server.close()


def keep_picture(browser: Browser, name: str) -> None:
    if PICTURES:
        browser.picture(Path(PICTURES) / f"{name}.png")


def kill_one(pool: ProducerPool, num: int, goes_on: Callable[[str, str], float]) -> float:
    """Kill a producer, and return how long it takes until the page has so many that died."""
    wait_for_producers(pool, 2)
    began = time.monotonic()
    os.kill(pool.stats().producers[0].pid, signal.SIGKILL)
    died = "[...document.querySelectorAll('#events .tag')].filter((n) => n.textContent === 'died').length"
    return goes_on(f"the end of {num}", f"{died} >= {num}") - began


def test_the_page_lives_and_shows_a_killed_producer_within_three_seconds(
    browser: Browser, tmp_path: Path
) -> None:
    data = pictures(tmp_path, 400, "png", (96, 128))
    with (
        ProducerPool(workers=2, monitor="127.0.0.1:0") as pool,
        BatchSequence(data, pool=pool, batch_size=8, image_size=(96, 128), transforms=[napping(0.01)]) as seq,
    ):
        wait_for_producers(pool, 2)
        browser.open(f"http://{pool.monitor}")
        browser.look_like("light", 1200, 900)
        steps = iter(seq[step % len(seq)] for step in range(10**6))

        def goes_on(what: str, condition: str) -> float:
            """Train until the page shows something; returns when."""

            def is_shown() -> bool:
                next(steps)
                return bool(browser.run(f"return {condition}"))

            wait_for(what, is_shown)
            return time.monotonic()

        goes_on("two producers", "document.querySelectorAll('#producers tbody tr').length === 2")
        goes_on("a verdict", "document.querySelector('#bound').textContent === 'transform-bound'")
        step = browser.text("#jobs tbody td:nth-child(3)")
        goes_on(
            "the next steps",
            f"document.querySelector('#jobs tbody td:nth-child(3)').textContent !== '{step}'",
        )
        browser.run("document.querySelector('#show-batch').click()")
        goes_on("pictures", "document.querySelector('#pictures canvas') !== null")
        wide = browser.run("return document.querySelector('#pictures canvas').width")
        delays = [kill_one(pool, nth, goes_on) for nth in (1, 2, 3)]
        name = "document.querySelector('#producers tbody').textContent"
        assert "embedded/1" not in browser.run(f"return {name}")
        asked = browser.run("return performance.getEntriesByType('resource').map((e) => e.name)")
        # Before the end of the pool, of which the page would complain.
        complaints = browser.complaints()
    # This machine has other things to do, too.
    assert min(delays) < SHOWN_WITHIN_S
    assert wide > 1000
    assert {address.split("/")[2] for address in asked} == {str(pool.monitor)}
    assert complaints == []


def test_bad_files_are_seen_or_said_to_have_no_picture(browser: Browser, tmp_path: Path) -> None:
    data, upper = broken_pictures(tmp_path, (24, 32))
    options = {"batch_size": 4, "image_size": (24, 32), "on_error": "replace", "max_bad_share": 0.5}
    with (
        ProducerPool(workers=1, monitor="127.0.0.1:0") as pool,
        BatchSequence(data, pool=pool, **options) as sequence,
    ):
        browser.open(f"http://{pool.monitor}")
        for step in range(len(sequence)):
            sequence[step]
        canvas = "document.querySelector('#bad canvas')"
        wait_for("a picture", lambda: browser.run(f"return {canvas} !== null"))
        wait_for("the other", lambda: "no picture" in browser.text("#bad tbody"))
        # It stays there when the next view comes.
        browser.run(f"{canvas}.isStill = true")
        drawn = browser.run("return view.at_s")
        wait_for("another view", lambda: browser.run("return view.at_s") > drawn)
        wide, pixel, is_still = browser.run(
            f"const c = {canvas}; return [c.width, [...c.getContext('2d').getImageData(9, 9, 1, 1).data],"
            " c.isStill]"
        )
        assert (wide, is_still) == (128, True)
        assert max(abs(a - b) for a, b in zip(pixel, (*upper[::-1], 255), strict=True)) < 12
        assert browser.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fifty_producers_can_be_read_in_light_and_dark(browser: Browser, scheme: str) -> None:
    with a_crowd() as url:
        browser.look_like(scheme, 1200, 2000)
        browser.open(url)
        rows = "document.querySelectorAll('#producers tbody tr').length"
        wait_for("fifty producers", lambda: browser.run(f"return {rows}") == 50)
        wait_for("the thumbnails", lambda: "no picture" in browser.text("#bad tbody"))
        num, faint = browser.run(FAINT_TEXTS, SMALL, LARGE)
        assert num > 300
        assert faint == []
        assert "50, 1 slow, 1 cannot read" in browser.text("#producers-title")
        ground = browser.run("return getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(17, 23, 28)") is (scheme == "dark")
        browser.run("document.querySelector('[data-key=images_per_s]').click()")
        browser.run("document.querySelector('[data-key=images_per_s]').click()")
        assert browser.text("#producers tbody th") == "node4/7"
        keep_picture(browser, scheme)
    assert browser.complaints() == []


class StartedAnew(CrowdedSource):
    """Its clock goes on; its job 1 has bad files of the same numbers."""

    pool = "first"

    def view(self, since_s: float, authorization: str, /) -> Reply:
        """See `Source`."""
        reply = super().view(since_s, authorization)
        return Reply.json(json.loads(reply.body) | {"pool": self.pool})


def test_of_a_training_that_was_started_anew_nothing_old_is_shown(browser: Browser) -> None:
    source = StartedAnew()
    server = MonitorServer(source, Access(Address("127.0.0.1", 0)))
    try:
        browser.open(f"http://{server.address}")
        wait_for("the thumbnails", lambda: browser.run("return thumbnails.size") == 2)
        browser.run("window.before = thumbnails")
        source.pool = "second"
        wait_for("the other", lambda: browser.run("return view.pool") == "second")
        assert browser.run("return thumbnails !== window.before")
        wait_for("its thumbnails", lambda: browser.run("return thumbnails.size") == 2)
        wait_for("its history", lambda: browser.run("return points[0].length") > 500)
    finally:
        server.close()


def test_a_phone_has_no_need_to_scroll_sideways(browser: Browser) -> None:
    with a_crowd() as url:
        browser.look_like("light", 390, 844, is_phone=True)
        browser.open(url)
        wait_for("the verdict", lambda: browser.text("#bound") == "decode-bound")
        assert browser.run("return document.documentElement.scrollWidth") <= 390
        keep_picture(browser, "phone")


def test_everything_that_can_be_pressed_has_a_name_and_is_reached_by_the_keyboard(browser: Browser) -> None:
    with a_crowd() as url:
        browser.look_like("light", 1200, 900)
        browser.open(url)
        wait_for("the verdict", lambda: browser.text("#bound") == "decode-bound")
        browser.devtools("Accessibility.enable")
        nodes = browser.devtools("Accessibility.getFullAXTree")["nodes"]
        pressed = [
            node for node in nodes if node.get("role", {}).get("value") in {"button", "spinbutton", "link"}
        ]
        assert len(pressed) >= 12
        assert [node for node in pressed if not node.get("name", {}).get("value")] == []
        assert browser.run(
            "return [...document.querySelectorAll('[tabindex]')].every((n) => n.tabIndex === 0)"
        )
        assert browser.run("return document.querySelectorAll('table th:not([scope])').length") == 0
