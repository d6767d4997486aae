"""What is said of an embedded producer's process that ended."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from feedline.trainer.pool.embedded import Child


def ended(code: str) -> Child:
    """A process that has run some code to its end."""
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE)
    written = process.communicate()[1]
    child = Child(process, io.BytesIO(written))
    child.read_stderr(is_over=True)
    return child


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("import os; os.kill(os.getpid(), 9)", "smaller memory_budget need less"),
        ("import os, sys; sys.stderr.write('boo'); sys.stderr.flush(); os._exit(1)", "ended with status 1"),
    ],
)
def test_the_line_that_is_logged_is_whole_without_the_last_words(code: str, end: str) -> None:
    assert ended(code).epitaph.splitlines()[0].endswith(end)


def test_last_words_come_after_it_and_are_announced_only_if_there_are_any() -> None:
    talkative = ended("import sys; sys.stderr.write('one\\ntwo'); sys.exit(1)")
    assert talkative.epitaph.splitlines()[1:] == ["it wrote:", "one", "two"]
    assert ended("import sys; sys.exit(1)").epitaph.splitlines()[1:] == ["(it wrote nothing)"]
