"""Watch a training: its verdict, jobs and producers, here or as a page.

The training was started with monitor="HOST:PORT", in ProducerPool or BatchSequence. Its token, if it has one,
is taken from FEEDLINE_MONITOR_TOKEN. With --web each browser is asked for it, and none is sent on from here:
FEEDLINE_MONITOR_TOKEN is then the page's own. Set it as it is there, to scale or to serve other machines.

For example:
  feedline monitor                                     the one of this machine, at 127.0.0.1:8265
  feedline monitor --connect node7:8265
  feedline monitor --connect https://trainer.example   through a proxy with TLS
  feedline monitor --connect trainer:8265 --web        its page, at http://127.0.0.1:8266
  feedline monitor --connect 127.0.0.1:8265 | cat      once, as text
"""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from feedline.trainer.monitor.access import Address

DEFAULT = "127.0.0.1:8265"
DEFAULT_PAGE = "127.0.0.1:8266"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--connect", metavar="HOST:PORT", default=DEFAULT, help=f"(default: {DEFAULT})")
    parser.add_argument(
        "--web",
        metavar="HOST:PORT",
        nargs="?",
        const=DEFAULT_PAGE,
        help=f"serve its page there, instead of drawing it here (default: {DEFAULT_PAGE})",
    )


def run(args: argparse.Namespace) -> int:
    """Show it until Ctrl-C; returns the exit status.

    Raises
    ------
    FeedlineError
        Nobody answers there, or the page cannot be served.
    """
    from feedline.trainer.monitor.access import TOKEN_VARIABLE, Address, check_token

    address = Address.to_ask(args.connect, "--connect")
    if args.web is not None:
        return _serve(address, args.web)
    from feedline.trainer.monitor.elsewhere import view_at
    from feedline.trainer.monitor.terminal import show

    token = os.environ.get(TOKEN_VARIABLE, "")
    if token:
        check_token(token)
    show(partial(view_at, address, token))
    return 0


def _serve(address: Address, web: str) -> int:
    from feedline.trainer.monitor.access import Access
    from feedline.trainer.monitor.elsewhere import TrainingSource
    from feedline.trainer.monitor.server import MonitorServer

    access = Access.of(web, os.environ, "--web")
    server = MonitorServer(TrainingSource(address, may_scale=bool(access.token)), access)
    print(f"the page of {address} is at http://{server.address}, until Ctrl-C", flush=True)
    try:
        server.wait()
    finally:
        server.close()
    return 0
