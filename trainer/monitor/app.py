"""The requests that the page makes, and Prometheus; Starlette calls what is here in the server's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from feedline.trainer.monitor.access import Access
from feedline.trainer.monitor.reply import Reply
from feedline.trainer.monitor.source import Source

PAGE = Path(__file__).parent / "page"
FILES: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    "/uplot/uPlot.iife.min.js": ("uplot/uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    "/uplot/uPlot.min.css": ("uplot/uPlot.min.css", "text/css; charset=utf-8"),
    "/uplot/LICENSE": ("uplot/LICENSE", "text/plain; charset=utf-8"),
}
"""All that is served beside what is asked of the pool, by path: the file, and its type."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of every response: nothing is asked of another host, and no other site's page may show or read this one."""

MAX_BODY_BYTES = 1000
"""Of a request; a number of producers takes less."""

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]
Call: TypeAlias = Callable[[], Reply]


def make_app(source: Source, access: Access) -> Starlette:
    """Make the application that serves the page of a source."""
    routes = [Route(path, _guarded(access, partial(_file, *file))) for path, file in FILES.items()]
    reading = {
        "/api/view": partial(_view, source),
        "/api/pictures/{job:int}.png": partial(_picture, source),
        "/api/bad/{job:int}/{number:int}.png": partial(_bad, source),
        "/metrics": partial(_metrics, source),
    }
    routes += [Route(path, _guarded(access, call, access.may_read)) for path, call in reading.items()]
    scale = _guarded(access, partial(_scale, source), access.may_change)
    routes.append(Route("/api/scale", scale, methods=["POST"]))
    return Starlette(routes=routes)


def _guarded(access: Access, handler: Handler, may: Callable[[str], bool] = lambda _: True) -> Handler:
    """Answer only requests that are meant for this server, and may be made."""

    async def guarded(request: Request) -> Response:
        if not access.may_be_called(request.headers.get("host", "")):
            return _response(Reply.error(421, "this server has another name"))
        if not may(_authorization(request)):
            return _response(Reply.error(401, "this needs the token, as Authorization: Bearer TOKEN"))
        return await handler(request)

    return guarded


async def _file(name: str, content_type: str, _: Request) -> Response:
    return _response(Reply(200, content_type, (PAGE / name).read_bytes()))


async def _view(source: Source, request: Request) -> Response:
    try:
        since_s = float(request.query_params.get("since", "-inf"))
    except ValueError:
        return _response(Reply.error(400, "since is a number of seconds"))
    return await _answer(partial(source.view, since_s, _authorization(request)))


async def _picture(source: Source, request: Request) -> Response:
    return await _answer(partial(source.picture, request.path_params["job"], _authorization(request)))


async def _bad(source: Source, request: Request) -> Response:
    job_id, number = request.path_params["job"], request.path_params["number"]
    return await _answer(partial(source.bad, job_id, number, _authorization(request)))


async def _metrics(source: Source, request: Request) -> Response:
    return await _answer(partial(source.metrics, _authorization(request)))


async def _scale(source: Source, request: Request) -> Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            return _response(Reply.error(413, f"a body has {MAX_BODY_BYTES} bytes at most"))
    return await _answer(partial(source.scale, body, _authorization(request)))


async def _answer(call: Call) -> Response:
    """Make a call that may wait for somebody, beside the server's loop."""
    return _response(await asyncio.to_thread(call))


def _response(reply: Reply) -> Response:
    headers = HEADERS | {"Content-Type": reply.content_type}
    return Response(reply.body, reply.status, headers)


def _authorization(request: Request) -> str:
    return request.headers.get("authorization", "")
