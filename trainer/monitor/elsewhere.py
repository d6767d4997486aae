"""A training in another process, asked over HTTP what its monitor shows."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote

from feedline.common.errors import FeedlineError
from feedline.common.wire.names import printable
from feedline.trainer.monitor.access import TOKEN_VARIABLE, Address
from feedline.trainer.monitor.reply import Reply

TIMEOUT_S = 5.0
"""A training that does not answer for so long is at something else, or on another machine."""


class TrainingSource:
    """Hands requests on; see `Source`.

    Parameters
    ----------
    address : Address
        Of the training's monitor.
    may_scale : bool
        Whether anybody may scale here: whoever has the token of this page, if it has one.
    """

    def __init__(self, address: Address, *, may_scale: bool = True) -> None:
        self._address, self._may_scale = address, may_scale

    def view(self, since_s: float, authorization: str, /) -> Reply:
        """See `Source`."""
        reply = self._ask("GET", f"/api/view?since={quote(str(since_s))}", authorization)
        return reply if self._may_scale or reply.status != 200 else _without_scaling(reply)

    def picture(self, job_id: int, authorization: str, /) -> Reply:
        """See `Source`."""
        return self._ask("GET", f"/api/pictures/{job_id}.png", authorization)

    def bad(self, job_id: int, number: int, authorization: str, /) -> Reply:
        """See `Source`."""
        return self._ask("GET", f"/api/bad/{job_id}/{number}.png", authorization)

    def metrics(self, authorization: str, /) -> Reply:
        """See `Source`."""
        return self._ask("GET", "/metrics", authorization)

    def scale(self, body: bytes, authorization: str, /) -> Reply:
        """See `Source`."""
        reply = self._ask("POST", "/api/scale", authorization, body)
        if reply.status == 401:
            # Who asks has the token of this page: to be asked for it again would help nobody.
            return Reply.error(
                403, f"the training at {self._address} has another token: set {TOKEN_VARIABLE} here as there"
            )
        return reply

    def review(self) -> None:
        """See `Source`: the training does that itself."""

    def close(self) -> None:
        """See `Source`: nothing is under way here."""

    def _ask(self, method: str, path: str, authorization: str, body: bytes | None = None) -> Reply:
        headers = {"Authorization": authorization} if authorization else {}
        try:
            return _ask(self._address, method, path, headers, body)
        except FeedlineError as error:
            return Reply.error(502, str(error))


def view_at(address: Address, token: str = "", since_s: float = float("inf")) -> dict[str, Any]:
    """The view of the training whose monitor is there; by default without its history.

    Raises
    ------
    FeedlineError
        Nobody answers there, or nobody who has one, or the token is needed: says what to do.
    """
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    reply = _ask(address, "GET", f"/api/view?since={quote(str(since_s))}", headers)
    answer = _object_in(reply.body)
    if answer is None:
        raise FeedlineError(f"what listens at {address} is no monitor of Feedline")
    if reply.status == 200 and "verdict" in answer:
        found: dict[str, Any] = _all_printable(answer)
        return found
    if reply.status == 401:
        raise FeedlineError(f"the monitor at {address} wants its token: set {TOKEN_VARIABLE} here as there")
    raise FeedlineError(f"the monitor at {address} answers: {answer}")


def _without_scaling(reply: Reply) -> Reply:
    """The same view, of a page that does not offer it."""
    view = _object_in(reply.body)
    return reply if view is None else Reply.json(view | {"can_scale": False})


def _object_in(body: bytes) -> dict[str, Any] | None:
    """The object that is there in JSON; None if there is anything else."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _all_printable(value: Any) -> Any:
    """What JSON has, with all texts so that nothing in them steers a terminal."""
    match value:
        case str():
            return printable(value)
        case list():
            return [_all_printable(part) for part in value]
        case dict():
            return {name: _all_printable(part) for name, part in value.items()}
    return value


def _ask(
    address: Address, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None
) -> Reply:
    connection = _connection(address)
    try:
        connection.request(method, path, body, dict(headers))
        answer = connection.getresponse()
        return Reply(answer.status, answer.headers.get("Content-Type", ""), answer.read())
    except ConnectionRefusedError as error:
        why = (
            "is the proxy with TLS running?"
            if address.is_encrypted
            else f'is the training running, and was its pool or sequence made with monitor="{address}"?'
        )
        raise FeedlineError(f"nobody listens at {address}: {why}") from error
    except ssl.SSLCertVerificationError as error:
        raise FeedlineError(
            f"the certificate of {address} is not believed ({error.verify_message}): if an authority of your"
            " own signed it, name the file of that one's certificate in SSL_CERT_FILE"
        ) from error
    except TimeoutError as error:
        raise FeedlineError(f"{address} did not answer for {TIMEOUT_S:g} s") from error
    except (OSError, UnicodeError, HTTPException) as error:
        raise FeedlineError(f"{address} cannot be asked: {printable(str(error))}") from error
    finally:
        connection.close()


def _connection(address: Address) -> HTTPConnection:
    """Opened by its first request. Over TLS nothing is sent before the certificate was verified."""
    if not address.is_encrypted:
        return HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
    context = ssl.create_default_context()
    return HTTPSConnection(address.host, address.port, timeout=TIMEOUT_S, context=context)
