"""Commands from the shell: through the API when one answers, and in the ledger otherwise."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from arb.config.sources import Loaded
from arb.domain.errors import ArbError, NotReady
from arb.domain.halt import Pause, Standing, TradingState, parse_standing, reason_of_halt
from arb.domain.market import VenueId
from arb.operations import account_views, trading_state
from arb.operations.reset_file import reset_file

CONNECT_SECONDS = 0.5
ANSWER_SECONDS = 30.0


class Refused(NotReady):
    """The orchestrator answered, and would not."""


@dataclass(frozen=True, slots=True)
class CommandOutcome:
    """The result of a command."""

    standing: Standing
    through: str
    """`api` or `ledger`."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """The API's response; without a document it is not running, or does not accept the token."""

    document: Any = None
    note: str = ""


async def ask(loaded: Loaded, method: str, path: str, body: Any = None) -> Answer:
    """Ask the API at the configured address.

    Raises:
        Refused: It refused; the message says why.
    """
    return (await _ask(loaded, method, [path], body))[0]


async def _ask(loaded: Loaded, method: str, paths: Sequence[str], body: Any) -> Sequence[Answer]:
    """The same of several, after one look whether it is there at all."""
    options = loaded.settings.api
    token = options.token.get_secret_value() if options.token else ""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(options.host, options.host)
    scheme = "https" if options.tls_certificate else "http"
    address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{options.port}"
    headers = {"authorization": f"Bearer {token}"} if token else {}
    limits = httpx.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
    try:
        async with httpx.AsyncClient(
            base_url=address,
            trust_env=False,
            timeout=limits,
            verify=_trusted(options.tls_certificate),
        ) as client:
            alive = await client.get("/healthz")
            if alive.status_code != httpx.codes.OK or alive.json() != {"status": "ok"}:
                return [Answer() for _ in paths]
            answers = [
                await client.request(method, f"/api/v1{path}", json=body, headers=headers)
                for path in paths
            ]
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError):
        return [Answer() for _ in paths]
    return [_answer(address, answer) for answer in answers]


def _trusted(certificate: str) -> ssl.SSLContext:
    """Trust in the one certificate that is served, by whatever name; without one in none.

    Raises:
        OSError: The file cannot be read as one.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if certificate:
        context.load_verify_locations(certificate)
    return context


def _answer(address: str, answer: httpx.Response) -> Answer:
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return Answer(note=f"{address} does not accept ARB_API__TOKEN")
    document = answer.json()
    if answer.status_code >= httpx.codes.BAD_REQUEST:
        raise Refused(f"{address}: {document['error']['message']}")
    return Answer(document)


async def command(loaded: Loaded, name: str, reason: str, unsaid: str = "") -> CommandOutcome:
    """`pause`, `resume` or `halt`: in the ledger and its file, and sent to a running orchestrator.

    Args:
        loaded: The settings.
        name: Which command.
        reason: Why.
        unsaid: Why the halt file could not be written; empty: it was, or is not needed.

    Raises:
        ArbError: It could not be carried out.
    """
    if name == "resume":
        await trading_state.resume(loaded, reason)
    try:
        answer = await ask(loaded, "POST", f"/bot/{name}", {"reason": reason})
    except Refused:
        if name == "resume":
            raise
        answer = Answer()
    if answer.document is not None:
        status = answer.document["status"]
        by_operator = status["by_operator"]
        now = parse_standing(status["state"], status["reason"], by_operator=by_operator)
        note = _kept(now) if name == "pause" and not now.paused else ""
        return CommandOutcome(now, "api", note)
    if name == "halt":
        reason = reason_of_halt(reason)
        note = await trading_state.halt(loaded, reason, unsaid)
        now = Standing(state=TradingState.HALTED, reason=reason)
        return CommandOutcome(now, "ledger", note or answer.note)
    if name == "pause":
        now = Standing(state=TradingState.HALTED, reason=reason, pause=Pause.UNTIL_RESUMED)
        before = await trading_state.write_down(loaded, now.state, reason, now.pause)
        if before is not None:
            return CommandOutcome(before, "ledger", _kept(before))
        return CommandOutcome(now, "ledger", answer.note)
    return CommandOutcome(Standing(reason=reason), "ledger", answer.note)


async def resume_kind(
    loaded: Loaded, kind: str, reason: str, venue: str | None
) -> tuple[Sequence[str], str]:
    """Let a kind be traded again: through a running orchestrator, and in the ledger otherwise.

    Args:
        loaded: The settings.
        kind: Which.
        reason: Why.
        venue: Where; without it wherever it is stopped.

    Returns:
        The venues at which it is traded again, and what the operator should know besides.

    Raises:
        ArbError: It could not be carried out.
    """
    asked = {"reason": reason, "kind": str(kind), **({"venue": venue} if venue else {})}
    answer = await ask(loaded, "POST", "/bot/resume", asked)
    if answer.document is not None:
        return answer.document["resumed_at"], answer.note
    where = VenueId(venue) if venue else None
    return await trading_state.resume_kind(loaded, kind, reason, where), answer.note


def _kept(now: Standing) -> str:
    """Why a pause changes nothing."""
    why = f" ({now.reason})" if now.reason else ""
    return f"trading is halted already{why}; a pause would weaken the halt"


async def reset_errors(loaded: Loaded) -> str:
    """Have the running orchestrator forget its errors and ask every host again.

    Returns:
        The result, as a sentence for people.

    Raises:
        ArbError: It cannot be asked to.
    """
    answer = await ask(loaded, "POST", "/bot/reset-errors", {})
    if answer.document is not None:
        forgotten: dict[str, int] = answer.document["forgotten"]
        told = ", ".join(f"{count} {where}" for where, count in forgotten.items()) or "none"
        return f"Errors forgotten: {told}."
    place = account_views.workplace(loaded)
    if place.process is None and not place.on_server:
        # What is counted lives as long as the process.
        return f"There is nothing to forget. {place.sentence}"
    file = reset_file(loaded.settings.database.url)
    if file is None:
        raise NotReady(answer.note or "no other process sees a ledger in memory")
    file.ask()
    return f"The errors are forgotten when the next cycle begins. {place.sentence}"


async def must_answer(loaded: Loaded, method: str, path: str, body: Any = None) -> Any:
    """Ask the running orchestrator for what only it can do.

    Raises:
        NotReady: None answers, it does not accept the token, or it refuses; says why.
    """
    answer = await ask(loaded, method, path, body)
    if answer.document is None:
        place = account_views.workplace(loaded)
        raise NotReady(
            answer.note
            or f"no orchestrator answers at ARB_API__HOST and ARB_API__PORT: `arb run --api` "
            f"does. {place.sentence}"
        )
    return answer.document


async def live_strategies(
    loaded: Loaded,
) -> tuple[list[dict[str, Any]], dict[str, Any] | None] | None:
    """The running orchestrator's strategies, and its statistical ones; `None` if none answers."""
    try:
        found = await ask(loaded, "GET", "/bot/strategies/available")
    except ArbError:
        return None
    if found.document is None:
        return None
    try:
        statistical = (await ask(loaded, "GET", "/signals")).document
    except Refused:
        statistical = None
    return found.document, statistical


async def live_glance(loaded: Loaded) -> dict[str, Any] | None:
    """Health, bots and the latest alerts of the running orchestrator; `None` when none answers."""
    paths = {"health": "/bot/health", "bots": "/arbitrage/bots", "alerts": "/alerts?limit=3"}
    try:
        answers = await _ask(loaded, "GET", list(paths.values()), None)
    except ArbError:
        return None
    found = {name: answer.document for name, answer in zip(paths, answers, strict=True)}
    return None if None in found.values() else found


async def live_status(loaded: Loaded) -> dict[str, Any] | None:
    """The running orchestrator's own report; `None` when none responds."""
    try:
        status, health = await _ask(loaded, "GET", ["/bot/status", "/bot/health"], None)
    except ArbError:
        return None
    if status.document is None or health.document is None:
        return None
    return {**status.document, "health": health.document}
