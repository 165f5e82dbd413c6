"""The application: gate, routes, stream, metrics and page put together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.websockets import WebSocket

from arb import __version__
from arb.api import routes, routes_reads, schemas
from arb.api.audit import Audit
from arb.api.auth import Role, Tokens
from arb.api.executed import ExecutedKeys
from arb.api.failures import STATUS
from arb.api.gate import METRICS, Gate, GateOptions
from arb.api.guarded import NEEDS, GuardedRoute, needs
from arb.api.limits import RateLimit
from arb.api.measure import Measured
from arb.api.metrics import Metrics
from arb.api.shared import SharedReads
from arb.api.state import Served, Tickets
from arb.api.stream import QUEUE_MAX, Stream
from arb.engine.bus import Bus
from arb.engine.control import Control
from arb.views.ledger import Reads
from arb.views.sidecars import Alerts, Bots, Setting

PAGE: Mapping[str, tuple[str, str]] = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/app.js": ("app.js", "text/javascript; charset=utf-8"),
    "/page/app.css": ("app.css", "text/css; charset=utf-8"),
    "/page/icon.svg": ("icon.svg", "image/svg+xml"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """How the API behaves."""

    gate: GateOptions
    exchange: str = "polymarket"
    interval_seconds: float = 30.0
    """Between cycles: published to clients, so that they notice when a cycle is late."""
    queue_max: int = QUEUE_MAX
    """News that one WebSocket client may leave unread."""


def create_app(
    control: Control,
    reads: Reads,
    options: ApiOptions,
    *,
    shared: SharedReads,
    settings: Callable[[], list[Setting]],
    tokens: Tokens,
    bus: Bus,
    metrics: Metrics,
    audit: Audit,
    executed: ExecutedKeys,
    bots: Bots | None = None,
    alerts: Alerts | None = None,
) -> FastAPI:
    """The API over one orchestrator."""
    clock = control.clock
    here = Served(
        control=control,
        reads=reads,
        shared=shared,
        settings=settings,
        bus=bus,
        metrics=metrics,
        audit=audit,
        executed=executed,
        tickets=Tickets(clock),
        exchange=options.exchange,
        open_on_loopback=options.gate.open_on_loopback,
        interval_seconds=options.interval_seconds,
        bots=bots,
        alerts=alerts,
    )
    app = FastAPI(title="arb", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.served = here
    for part in (routes, routes_reads):
        app.include_router(part.router)
        app.include_router(part.arbitrage, prefix="/api/v1")
        # The same once more; two names of one operation would only fill the description.
        app.include_router(part.arbitrage, prefix="/api", include_in_schema=False)
    _add_open_routes(app, here)
    _add_guarded_extras(app, here)
    rate = RateLimit(options.gate.requests_per_minute, clock.monotonic)
    stream = Stream(options.queue_max, rate)
    app.add_api_websocket_route("/ws/arbitrage", _endpoint(stream))
    _add_failures(app)
    _measure(app, here)
    app.add_middleware(
        Gate,
        options=options.gate,
        tokens=tokens,
        tickets=here.tickets.take,
        monotonic=clock.monotonic,
        denied=lambda why: metrics.denied.labels(why).inc(),
    )
    if options.gate.origins:
        # In front of the gate: a browser asks first, without a token, and must be able to read
        # the gate's refusals. What it lets ask is let in by the gate alone.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=sorted(options.gate.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type", "idempotency-key"],
            expose_headers=["retry-after"],
        )
    return app


def _endpoint(stream: Stream) -> Callable[[WebSocket], Awaitable[None]]:
    async def arbitrage(websocket: WebSocket) -> None:
        await stream.serve(websocket)

    return arbitrage


def _add_open_routes(app: FastAPI, here: Served) -> None:
    """What may be seen without a token; the gate has the same list."""

    @app.get("/healthz", tags=["operation"])
    async def healthz() -> schemas.Alive:
        """The process answers."""
        return schemas.Alive(status="ok")

    @app.get("/readyz", responses={503: {"model": schemas.Ready}}, tags=["operation"])
    async def readyz(response: Response) -> schemas.Ready:
        """It runs, the ledger answers, cycles succeed."""
        ready = await here.control.ready()
        response.status_code = 200 if ready else 503
        return schemas.Ready(ready=ready)

    folder = files("arb.api") / "page"
    for path, (name, kind) in PAGE.items():
        content = (folder / name).read_bytes()
        app.add_api_route(path, _static(content, kind), include_in_schema=False, methods=["GET"])


def _static(content: bytes, kind: str) -> Callable[[], Awaitable[Response]]:
    async def page() -> Response:
        return Response(content, media_type=kind, headers={"cache-control": "no-cache"})

    return page


def _add_guarded_extras(app: FastAPI, here: Served) -> None:
    async def metrics() -> Response:
        """Metrics in the format of Prometheus."""
        body = await here.metrics.text(here.control, here.bus, here.bots)
        return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi() -> JSONResponse:
        """This description."""
        return JSONResponse(description(app))

    # `/metrics` alone may be open on loopback, so its role is seen to by the gate.
    app.add_api_route(METRICS, metrics, methods=["GET"], include_in_schema=False)
    app.router.routes.append(
        GuardedRoute(
            "/api/v1/openapi.json",
            openapi,
            methods=["GET"],
            include_in_schema=False,
            **needs(Role.READ),
        )
    )


def description(app: FastAPI) -> dict[str, object]:
    """The OpenAPI document, with the role that each operation needs."""
    if not app.openapi_schema:
        document = get_openapi(
            title="arb control API",
            version=__version__,
            description="See, pause, halt, resume and audit the orchestrator.",
            routes=app.routes,
        )
        components = document.setdefault("components", {})
        schemes = components.setdefault("securitySchemes", {})
        schemes["bearer"] = {"type": "http", "scheme": "bearer"}
        for operations in document["paths"].values():
            for operation in operations.values():
                if NEEDS in operation:
                    operation["security"] = [{"bearer": []}]
        app.openapi_schema = document
    return app.openapi_schema


def _add_failures(app: FastAPI) -> None:
    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        # What was sent is not sent back: it may be anything.
        return _failure(422, "invalid", f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> JSONResponse:
        codes = {403: "role", 404: "unknown", 405: "method", 400: "malformed", 413: "too_large"}
        code = codes.get(error.status_code, "refused")
        return _failure(error.status_code, code, str(error.detail), error.headers)

    for kind, status, code in STATUS:
        app.add_exception_handler(kind, _handler(status, code))

    @app.exception_handler(Exception)
    async def broken(_: Request, _error: Exception) -> JSONResponse:
        return _failure(500, "internal", "internal error; the log says more")


def _handler(status: int, code: str) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(_: Request, error: Exception) -> Response:
        return _failure(status, code, str(error))

    return handle


def _failure(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    document = {"error": {"code": code, "message": message}}
    return JSONResponse(document, status, dict(headers) if headers else None)


def _measure(app: FastAPI, here: Served) -> None:
    """Count and time what is answered, by route and not by address."""
    app.add_middleware(Measured, metrics=here.metrics, monotonic=here.control.clock.monotonic)
