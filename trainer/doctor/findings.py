"""What was looked at, what was seen, and what to do about it. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How a finding is meant."""

    FINE = "ok"
    NOTE = "note"
    """It works, and could work better."""
    BAD = "BAD"
    """Something will not work."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    what : str
        What was looked at.
    seen : str
        What was seen, with units.
    severity : Severity
        How it is meant.
    advice : str
        What to change; empty if nothing.
    """

    what: str
    seen: str
    severity: Severity = Severity.FINE
    advice: str = ""

    @classmethod
    def note(cls, what: str, seen: str, advice: str) -> Finding:
        """It works, and could work better."""
        return cls(what, seen, Severity.NOTE, advice)

    @classmethod
    def bad(cls, what: str, seen: str, advice: str) -> Finding:
        """Something will not work."""
        return cls(what, seen, Severity.BAD, advice)

    def __str__(self) -> str:
        advice = f"\n       {self.advice}" if self.advice else ""
        return f"{self.severity.value:<5}{self.what}: {self.seen}{advice}"


def verdict_of(findings: Iterable[Finding]) -> str:
    """All of them in a sentence."""
    counts = dict.fromkeys(Severity, 0)
    for finding in findings:
        counts[finding.severity] += 1
    if counts[Severity.BAD]:
        return f"{counts[Severity.BAD]} of {sum(counts.values())} will not work: see BAD above"
    if counts[Severity.NOTE]:
        return f"all works; {counts[Severity.NOTE]} could be better"
    return "all is well"
