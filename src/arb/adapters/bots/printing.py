"""Plain scripts that only print: run once a command, their words taken as an answer.

The command comes on standard input. Of what is printed, three kinds of lines count: `SEND` (every
order as it was given), `SEND ORDER PRICE SHARES` (one order), `REFUSE REASON`. The last `REFUSE`
wins over everything; without any such line, or with an exit code other than 0, the answer is no.
"""

import asyncio
import contextlib
import signal
from asyncio.subprocess import PIPE, STDOUT
from collections.abc import Mapping
from pathlib import Path

from arb.adapters.bots.definition import Definition, environment, folder_of
from arb.adapters.bots.messages import BadDocument, Command, Intent, Result, clean, dump, parse
from arb.adapters.bots.process import launched, signal_group

OUTPUT_MAX = 65_536


async def ask_script(
    definition: Definition, command: Command, inherited: Mapping[str, str], base: Path
) -> Result:
    """Run the script on a command and read what it prints.

    Raises:
        BadDocument: Its words cannot be an answer.
        TimeoutError: It took longer than `answer_seconds`; it was ended.
        OSError: It cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *launched(definition.command, definition.limits),
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=folder_of(definition, base),
        env=environment(definition, inherited),
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        async with asyncio.timeout(definition.answer_seconds):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                process.stdin.write(dump(command))
                await process.stdin.drain()
                process.stdin.close()
            printed = await _read(process.stdout)
            code = await process.wait()
    finally:
        signal_group(process.pid, signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return answer(definition.name, command, printed, code)


def answer(bot: str, command: Command, printed: bytes, code: int = 0) -> Result:
    """The answer in the printed lines.

    Raises:
        BadDocument: They cannot be an answer.
    """
    intents: list[Intent] = []
    refused = "it printed no answer" if code == 0 else f"exit code {code}"
    said_no = code != 0
    for line in printed.decode("utf-8", errors="replace").splitlines():
        match line.split():
            case ["SEND"]:
                intents = [
                    Intent(id=leg.id, price=leg.limit, shares=leg.shares) for leg in command.orders
                ]
            case ["SEND", order, price, shares]:
                intents.append(Intent(id=order, price=price, shares=shares))
            case ["REFUSE", *words]:
                refused, said_no = clean(" ".join(words))[:200] or "no reason given", True
            case _:
                pass
    result = Result(
        schema=1,
        id=command.id,
        bot_name=bot,
        success=bool(intents) and not said_no,
        reason="" if intents and not said_no else refused,
        orders=() if said_no else tuple(intents),
    )
    # Through the same gate as any document: what was printed is as strange as what is mailed.
    return parse(dump(result), Result)


async def _read(stream: asyncio.StreamReader) -> bytes:
    printed = b""
    while chunk := await stream.read(OUTPUT_MAX):
        printed += chunk
        if len(printed) > OUTPUT_MAX:
            raise BadDocument("too_large")
    return printed
