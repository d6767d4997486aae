"""``python -m feedline.producer --connect tcp://trainer:5555 --workers 4 --data-root /data``.

Settings -> wiring -> run: a supervisor of N processes, each of them this same command with
``--unsupervised``.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import signal
import sys
from collections.abc import Sequence

logger = logging.getLogger("feedline.producer")

EXAMPLE = """\
examples:
  feedline-producer --connect tcp://127.0.0.1:5555 --workers 4 --data-root /data/images
  feedline-producer --connect tcp://trainer:5555 --keys keys --data-root /data/images

A producer waits for its trainer, however long that takes, and for the next one when it leaves.
SIGTERM lets it finish the batch in hand.
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(
        "feedline-producer",
        description="Decodes and augments image batches and pushes them to Feedline trainers.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_serving(result.add_argument_group("whom it serves, and how"))
    _add_files(result.add_argument_group("what it may read, keep and import"))
    # What a supervisor tells its producers, and a trainer those that it starts itself.
    result.add_argument("--unsupervised", action="store_true", help=argparse.SUPPRESS)
    result.add_argument("--tells-waits", action="store_true", help=argparse.SUPPRESS)
    result.add_argument("--parent-pid", type=int, help=argparse.SUPPRESS)
    result.add_argument("--allow-any", action="store_true", help=argparse.SUPPRESS)
    return result


def _add_serving(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--connect",
        action="append",
        required=True,
        metavar="ENDPOINT",
        help="where a trainer listens, such as tcp://trainer:5555; may be repeated",
    )
    group.add_argument(
        "--workers", type=_count, metavar="N", help="producer processes (default: the usable cores)"
    )
    group.add_argument("--name", help="what logs and errors call this producer (default: the host's name)")
    group.add_argument(
        "--exit-with-trainer",
        action="store_true",
        help="end when the trainer says goodbye, instead of waiting for the next one",
    )
    group.add_argument(
        "--keys",
        metavar="DIR",
        help="a producer's keys, as `feedline keygen` makes them: they encrypt all that goes over TCP, and"
        " prove who both sides are (default: $FEEDLINE_KEYS). Trainers on other hosts need them",
    )
    group.add_argument(
        "--insecure",
        action="store_true",
        help="allow trainers on other hosts without keys: no encryption, and no proof of who they are",
    )
    group.add_argument(
        "--log-format",
        choices=("text", "json"),
        default="text",
        help="a line or a JSON object an event",
    )


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data-root",
        action="append",
        required=True,
        metavar="DIR",
        help="a folder to read images from, and from nowhere else; may be repeated",
    )
    group.add_argument(
        "--max-file-bytes",
        type=_count,
        # Read here, so that it reaches embedded producers, too, whom nobody passes options.
        default=os.environ.get("FEEDLINE_MAX_FILE_BYTES") or str(1 << 30),
        metavar="N",
        help="read no larger file (default: $FEEDLINE_MAX_FILE_BYTES, else 1 GiB)",
    )
    group.add_argument(
        "--cache-dir", metavar="DIR", help="where caches on disk lie (default: ~/.cache/feedline)"
    )
    group.add_argument(
        "--cache-bytes",
        type=_count_or_none,
        metavar="N",
        help="what all caches of a kind may take together, 0 for no caches (default: half of what is free)",
    )
    group.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="MODULE",
        help="let trainers use functions and classes of this module, or package; may be repeated",
    )
    group.add_argument(
        "--import-path",
        action="append",
        default=[],
        metavar="DIR",
        help="a folder to look for such modules in, after all others; may be repeated",
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a supervisor, or with ``--unsupervised`` one producer; returns the exit status."""
    command = parser()
    settings = command.parse_args(arguments)
    if settings.unsupervised:
        settings.name = settings.name or f"{platform.node()}/{os.getpid()}"
    configure_logging(settings.log_format, settings.name if settings.unsupervised else "")
    from feedline.common.errors import FeedlineError
    from feedline.common.keys.files import ProducerKeys
    from feedline.common.wire.endpoints import check_connect
    from feedline.producer.reading.roots import DataRoots

    try:
        settings.keys = _keys(settings)
        for endpoint in settings.connect:
            check_connect(endpoint, insecure=settings.insecure, has_keys=settings.keys is not None)
        if settings.keys is not None:
            ProducerKeys.read(settings.keys)
        DataRoots(settings.data_root)
        return _produce(settings) if settings.unsupervised else _supervise(settings)
    except FeedlineError as error:
        command.exit(2, f"feedline-producer: {error}\n")


def _keys(settings: argparse.Namespace) -> str | None:
    """The folder of keys, where any are wanted."""
    from feedline.common.errors import ConfigurationError
    from feedline.common.keys.files import VARIABLE
    from feedline.common.wire.endpoints import is_tcp

    over_tcp = any(map(is_tcp, settings.connect))
    if settings.keys and not over_tcp:
        raise ConfigurationError(
            "--keys is for endpoints tcp://HOST:PORT: others are guarded by the modes of their folders. Leave"
            " it out"
        )
    folder: str | None = (settings.keys or os.environ.get(VARIABLE)) if over_tcp else None
    return folder or None


def _supervise(settings: argparse.Namespace) -> int:
    from feedline.common.processes.children import usable_cores
    from feedline.producer.serving.supervisor import Supervisor

    name = settings.name or platform.node()
    names = [f"{name}/{i}" for i in range(settings.workers or usable_cores())]
    children = [_child_arguments(settings, name) for name in names]
    # One speaks for all of them, who wait for the same.
    children[0].append("--tells-waits")
    read = "1 producer reads" if len(names) == 1 else f"{len(names)} producers read"
    logger.info(f"{read} under {', '.join(settings.data_root)}")
    supervisor = Supervisor(children)
    _on_stop(supervisor.stop)
    return supervisor.run()


def _produce(settings: argparse.Namespace) -> int:
    from feedline.producer.plugins import Plugins, add_import_paths

    add_import_paths(settings.import_path)
    from feedline.producer.cache.folder import CacheSettings
    from feedline.producer.serving.worker import WorkerSettings, run

    error = run(
        WorkerSettings(
            endpoints=tuple(settings.connect),
            data_roots=tuple(settings.data_root),
            max_file_bytes=settings.max_file_bytes,
            name=settings.name,
            keys=settings.keys,
            exit_with_trainer=settings.exit_with_trainer,
            tells_waits=settings.tells_waits,
            parent_pid=settings.parent_pid,
            cache=CacheSettings(settings.cache_dir, settings.cache_bytes),
            plugins=Plugins(tuple(settings.allow), settings.allow_any),
        ),
        _on_stop,
    )
    return 1 if error else 0


def _child_arguments(settings: argparse.Namespace, name: str) -> list[str]:
    """The same command line, for one producer."""
    result = ["--name", name, "--log-format", settings.log_format]
    result += ["--max-file-bytes", str(settings.max_file_bytes)]
    for option in ("connect", "data_root", "allow", "import_path"):
        for value in getattr(settings, option):
            result += [f"--{option.replace('_', '-')}", value]
    for option, value in (
        ("--keys", settings.keys),
        ("--cache-dir", settings.cache_dir),
        ("--cache-bytes", settings.cache_bytes),
    ):
        result += [] if value is None else [option, str(value)]
    result += ["--insecure"] * settings.insecure + ["--exit-with-trainer"] * settings.exit_with_trainer
    return result


def _on_stop(stop: object) -> None:
    """Let SIGTERM and Ctrl-C end the process the gentle way."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())  # type: ignore[operator]  # mypy: any callable


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number


def _count_or_none(text: str) -> int:
    return 0 if text == "0" else _count(text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, for log collectors.

    Parameters
    ----------
    producer : str
        Name of the one that logs; empty for whoever starts them.
    """

    def __init__(self, producer: str = "") -> None:
        super().__init__()
        self._producer = {"producer": producer} if producer else {}

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, logger, process and text; where there is one, producer, batch and traceback."""
        from feedline.producer.serving.whereabouts import whereabouts

        entry = {
            "time": self.formatTime(record),
            "level": record.levelname,
            "logger": record.name,
            "pid": record.process,
            "text": record.getMessage(),
            **self._producer,
            **whereabouts(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def configure_logging(log_format: str, producer: str = "") -> None:
    """Log to stderr, from ``FEEDLINE_LOG`` on, or INFO."""
    # What importing feedline has set up for scripts that configure nothing.
    logging.getLogger("feedline").handlers.clear()
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s[%(process)d]: %(message)s")
    handler.setFormatter(JsonFormatter(producer) if log_format == "json" else text)
    logging.basicConfig(level=os.environ.get("FEEDLINE_LOG", "info").upper() or "INFO", handlers=[handler])


if __name__ == "__main__":
    sys.exit(main())
