"""Keys: whether there are any where they are said to be, and who may read them."""

from __future__ import annotations

from pathlib import Path

from feedline.common.errors import ConfigurationError
from feedline.common.keys.files import ProducerKeys, TrainerKeys
from feedline.trainer.doctor.findings import Finding


def look_at_keys(folder: Path) -> Finding:
    """Judge a folder of keys, a trainer's or a producer's, by reading it as they do."""
    what = f"keys {folder}"
    is_trainers = (folder / "trainer").is_dir() or (folder / "producers").is_dir()
    try:
        if is_trainers:
            names = sorted(path.stem for path in TrainerKeys.read(folder).producers.glob("*.key"))
            return Finding(what, f"a trainer's, who lets in {', '.join(names) or 'nobody'}")
        ProducerKeys.read(folder)
    except ConfigurationError as error:
        return Finding.bad(what, "cannot be used", str(error).removeprefix("keys: "))
    return Finding(what, "a producer's")
