"""Numbers with their units, as they are read."""

from __future__ import annotations


def in_bytes(num_bytes: float) -> str:
    """A number of bytes in three digits; powers of 1000, as disks and networks are sold.

    Examples
    --------
    >>> in_bytes(3.1e9)
    '3.1 GB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.0f} {unit}" if unit == "bytes" else f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB" if num_bytes < 1000 else f"{num_bytes:,.0f} TB"
