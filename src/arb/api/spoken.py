"""What a client asks for over the stream: bots, with the rights and the record of the routes."""

from typing import Any, Literal

from pydantic import ValidationError

from arb.api.auth import Principal, Role
from arb.api.failures import code_of
from arb.api.limits import RateLimit
from arb.api.routes import command_bot
from arb.api.schemas import BotCommand
from arb.api.state import Served
from arb.domain.errors import ArbError
from arb.views.shape import as_json

VERBS: dict[str, Literal["start", "stop"]] = {"start_bot": "start", "stop_bot": "stop"}
UNDERSTOOD = 'understood here: {"action": "start_bot" or "stop_bot", "bot_id": "..."}'


async def answer(
    here: Served, who: Principal, said: str | bytes, rate: RateLimit
) -> dict[str, Any]:
    """Carry out what a client has sent; the answer to it, which may be an error by its name."""
    if wait := rate.wait(who.name):
        return _error("rate", f"too many messages; wait {max(1, round(wait))} s")
    try:
        asked = BotCommand.model_validate_json(said)
    except ValidationError as error:
        # What was sent is not sent back: it may be anything.
        first = error.errors(include_input=False, include_url=False)[0]
        where = "".join(f"{part}: " for part in first["loc"])
        return _error("invalid", f"{where}{first['msg']}; {UNDERSTOOD}")
    about = {"action": asked.action, "bot_id": asked.bot_id}
    if not who.role.covers(Role.OPERATE):
        return _error("role", f"this needs the role {Role.OPERATE.value}", about)
    try:
        bot = await command_bot(here, who, VERBS[asked.action], asked.bot_id, asked.reason)
    except ArbError as error:
        return _error(code_of(error), str(error), about)
    return {"type": "answer", "data": {**about, "bot": as_json(bot)}}


def _error(code: str, message: str, about: dict[str, str] | None = None) -> dict[str, Any]:
    return {"type": "error", "data": {**(about or {}), "code": code, "message": message}}
