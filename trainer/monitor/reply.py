"""What a request is answered with. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    Attributes
    ----------
    status : int
        Of HTTP.
    content_type : str
        Of the body.
    body : bytes
        As it is sent.
    """

    status: int
    content_type: str
    body: bytes

    @classmethod
    def json(cls, value: Any, status: int = 200) -> Reply:
        """Plain values; infinity and the like, which JSON has not, are a ValueError."""
        return cls(status, "application/json", json.dumps(value, allow_nan=False).encode())

    @classmethod
    def error(cls, status: int, text: str) -> Reply:
        """Say in a sentence what is wrong."""
        return cls.json({"error": text}, status)
