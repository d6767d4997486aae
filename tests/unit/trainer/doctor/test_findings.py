"""What the doctor makes of what it sees, and what it says."""

from __future__ import annotations

import resource

import pytest

from feedline.trainer.doctor import machine
from feedline.trainer.doctor.findings import Finding, Severity, verdict_of


@pytest.mark.parametrize(
    ("finding", "severity", "words"),
    [
        (machine.cores(4, 4, None), Severity.FINE, "4 usable"),
        (machine.cores(2, 8, None), Severity.FINE, "2 of 8 usable"),
        (machine.cores(8, 8, 1.6), Severity.NOTE, "say workers=2"),
        (machine.cores(8, 8, 0.5), Severity.NOTE, "say workers=1"),
        (machine.cores(1, 1, None), Severity.NOTE, "take turns"),
        (machine.shared_memory([("/dev/shm", 2 << 30)]), Severity.FINE, "2.15 GB free in /dev/shm"),
        (machine.shared_memory([("/dev/shm", 64 << 20)]), Severity.NOTE, "--shm-size"),
        (machine.shared_memory([]), Severity.NOTE, "FEEDLINE_SHM"),
        (machine.descriptors(4096, 8192), Severity.FINE, "at most 4096"),
        (machine.descriptors(resource.RLIM_INFINITY, resource.RLIM_INFINITY), Severity.FINE, "unlimited"),
        (machine.descriptors(256, 1024), Severity.NOTE, "ulimit -n 1024"),
        (machine.descriptors(256, resource.RLIM_INFINITY), Severity.NOTE, "ulimit -n 4096"),
        (machine.training({}), Severity.FINE, "enough for producers"),
        (machine.training({"keras": "3"}), Severity.BAD, "without a backend"),
        (machine.training({"keras": "3", "jax": "1"}), Severity.FINE, "keras 3 on jax 1"),
        (machine.opencv("  JPEG:    build-libjpeg-turbo (ver 3)"), Severity.FINE, "turbo"),
        (machine.opencv("  JPEG:    /usr/lib/libjpeg.so"), Severity.NOTE, "libjpeg-turbo decodes"),
    ],
)
def test_each_judgement_quotes_what_was_seen_and_names_a_remedy(
    finding: Finding, severity: Severity, words: str
) -> None:
    assert finding.severity is severity
    assert words in str(finding)
    assert (severity is Severity.FINE) or finding.advice


def test_optional_decoders_that_are_missing_are_named_with_what_they_bring() -> None:
    finding = machine.decoders({"pywuffs": True, "pydicom": False})
    assert "opencv, pywuffs" in finding.seen
    assert finding.advice == "compressed DICOM files: pip install 'feedline[dicom]'"


def test_the_verdict_is_the_worst_there_is() -> None:
    fine, note, bad = Finding("a", "b"), Finding.note("a", "b", "c"), Finding.bad("a", "b", "c")
    assert verdict_of([fine]) == "all is well"
    assert verdict_of([fine, note]) == "all works; 1 could be better"
    assert verdict_of([fine, note, bad]) == "1 of 3 will not work: see BAD above"
