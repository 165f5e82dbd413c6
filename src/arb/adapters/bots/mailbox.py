"""The user's layout of files through which the orchestrator and its bots speak.

`commands/{bot}_command.json`, `results/{bot}_result.json`, `heartbeats/{bot}_heartbeat.json`.
A file is claimed by renaming it, so that it is had once; it is removed when it is acknowledged.
"""

import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import msgspec

from arb.adapters.bots.files import Content, Folder, Mark, Quarantine
from arb.adapters.bots.messages import (
    BadDocument,
    Command,
    Document,
    Heartbeat,
    Result,
    dump,
    parse,
)
from arb.ports import Clock

SETTLE_SECONDS = 2.0
"""A file that is no JSON yet is read again for so long: its writer may be at work."""
TEMPORARY_SECONDS = 60.0
"""After this a temporary file has lost its writer."""
WITHDRAW_AFTER = timedelta(seconds=5)
"""How long past its time a command is left: a reader may be about to remove it."""
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Beat:
    """A heartbeat, and by what it differs from the one before."""

    heartbeat: Heartbeat
    mark: Mark


@dataclass(slots=True)
class _Out:
    """The last plan's command that a bot has not answered."""

    id: str
    sent: bool
    """By this process: it sees when the bot takes it."""
    taken: bool = False
    """It was seen taken before there was an answer."""
    others: bool = False
    """The bot owes the answer to an earlier one, too."""


@dataclass(slots=True)
class Mailbox:
    """The files of all bots under one folder."""

    path: Path
    clock: Clock
    tell: Callable[[str, str], None] = lambda _reason, _name: None
    """Called with why and the name of each file that is set aside."""
    owners: frozenset[int] | None = None
    """Whose files are taken; our own where it is not given."""
    _commands: Folder = field(init=False)
    _results: Folder = field(init=False)
    _heartbeats: Folder = field(init=False)
    _answers: Folder = field(init=False)
    _quarantine: Quarantine = field(init=False)
    _out: dict[str, _Out] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._commands = self._folder("commands")
        self._results = self._folder("results")
        self._heartbeats = self._folder("heartbeats")
        self._answers = self._folder("answers")
        self._quarantine = Quarantine(self._folder("quarantine"), self.tell)

    def close(self) -> None:
        """Let go of the folders."""
        for folder in (self._commands, self._results, self._heartbeats, self._answers):
            folder.close()
        self._quarantine.folder.close()

    @property
    def put_aside(self) -> Counter[str]:
        """How many files were put aside for which reason."""
        return self._quarantine.counts

    def send(self, command: Command) -> bool:
        """Write a command; false while the bot has not claimed the one before."""
        name = _command(command.bot_name)
        if self._commands.exists(name):
            return False
        if command.command == "execute_arbitrage":
            # Before it is written: then it may be taken at once.
            before = self._out.get(command.bot_name)
            self._out[command.bot_name] = _Out(command.id, sent=True, others=before is not None)
        self._commands.write(name, dump(command))
        return True

    def expects(self, bot: str, id_: str) -> None:
        """A command of before this process began has no answer yet."""
        out = self._out.setdefault(bot, _Out(id_, sent=False))
        out.others = out.others or out.id != id_

    def current(self, bot: str) -> Command | None:
        """The command that the bot has not claimed yet."""
        return self._known(self._commands, _command(bot), Command)

    def withdraw(self, bot: str, id_: str) -> bool:
        """Take a command back; true when the bot certainly never claimed it."""
        found = self.current(bot)
        if found is None or found.id != id_ or not self._commands.remove(_command(bot)):
            return False
        self._never_taken(bot, found)
        return True

    def expire(self, bot: str) -> Command | None:
        """Remove a command that has long expired."""
        found = self.current(bot)
        if found is None or self.clock.now() < found.expires_at + WITHDRAW_AFTER:
            return None
        if not self._commands.remove(_command(bot)):
            return None
        self._never_taken(bot, found)
        return found

    def claim_result(self, bot: str) -> Result | None:
        """The bot's answer, once; `acknowledge` it, or it comes again after a restart.

        One without an id gets that of the command which is out to the bot, if it can be no other's.
        """
        name, claimed = f"{bot}_result.json", f".{bot}_result.claimed.json"
        if not self._results.exists(claimed):
            try:
                if not self._results.rename(name, claimed):
                    self._look(bot)
                    return None
            except OSError:
                self._quarantine.take(self._results, name, "unreadable")
                return None
        result = self._known(self._results, claimed, Result, settle=True)
        if result is not None and result.bot_name.lower() != bot:
            self._quarantine.take(self._results, claimed, "wrong_name")
            return None
        if result is None or result.id:
            return result
        if why := self._not_of_one(bot):
            self._quarantine.take(self._results, claimed, "no_id", f"no_id: `id` is missing: {why}")
            return None
        return msgspec.structs.replace(result, id=self._out.pop(bot).id)

    def acknowledge(self, bot: str) -> None:
        """The claimed answer has been seen to."""
        self._results.remove(f".{bot}_result.claimed.json")

    def refuse(self, bot: str, reason: str) -> None:
        """The claimed answer is impossible."""
        self._quarantine.take(self._results, f".{bot}_result.claimed.json", reason)

    def heartbeat(self, bot: str) -> Beat | None:
        """The bot's last sign of life, if there is one that can be read now."""
        name = f"{bot}_heartbeat.json"
        read = self._read(self._heartbeats, name, Heartbeat, settle=True)
        if read is None:
            return None
        heartbeat, content = read
        if heartbeat.bot_name.lower() != bot:
            self._quarantine.take(self._heartbeats, name, "wrong_name")
            return None
        return Beat(heartbeat, content.mark)

    def forget_heartbeat(self, bot: str) -> None:
        """Remove the sign of an earlier life. Commands stay: what was never taken must show."""
        self._heartbeats.remove(f"{bot}_heartbeat.json")

    def keep(self, result: Result) -> None:
        """Hold on to a claimed answer, over restarts, until its plan has ended."""
        out = self._out.get(result.bot_name.lower())
        if out is not None and out.id == result.id:
            del self._out[result.bot_name.lower()]
        if _ID.fullmatch(result.id):
            self._answers.write(f"{result.id}.json", dump(result))

    def kept(self, id_: str) -> Result | None:
        """An answer that was kept."""
        return self._known(self._answers, f"{id_}.json", Result) if _ID.fullmatch(id_) else None

    def forget(self, id_: str) -> None:
        """The plan of this answer has ended."""
        if _ID.fullmatch(id_):
            self._answers.remove(f"{id_}.json")

    def sweep(self, bots: Collection[str]) -> None:
        """Put aside what has no business in the bots' folders."""
        expected = {name for bot in bots for name in _names(bot)}
        now = self.clock.now().timestamp()
        for folder in (self._results, self._heartbeats, self._commands):
            for name in folder.names():
                temporary = name.endswith(".tmp") or name.startswith(".")
                age = now - folder.changed_at(name)
                if name not in expected and not (temporary and 0 <= age < TEMPORARY_SECONDS):
                    self._quarantine.take(folder, name, "stranger")

    def _not_of_one(self, bot: str) -> str:
        """Why an answer without an id cannot be held to be that to one command; empty: it can."""
        out = self._out.get(bot)
        if out is None:
            return "no command is out to the bot"
        if self._lies(bot, out):
            return "it was written before the bot took its command (remove the file, then answer)"
        if out.others and not out.taken:
            # Once only: what it owed has come now, or never will.
            out.others = not out.sent
            return "more than one command is out to the bot"
        return ""

    def _look(self, bot: str) -> None:
        """See whether the bot has taken its command, while there is no answer."""
        out = self._out.get(bot)
        if out is not None and out.sent and not out.taken:
            out.taken = not self._lies(bot, out)

    def _lies(self, bot: str, out: _Out) -> bool:
        found = self.current(bot)
        return found is not None and (found.id, found.command) == (out.id, "execute_arbitrage")

    def _never_taken(self, bot: str, command: Command) -> None:
        out = self._out.get(bot)
        if out is not None and (out.id, "execute_arbitrage") == (command.id, command.command):
            del self._out[bot]

    def _folder(self, name: str) -> Folder:
        path = self.path / name
        return Folder(path) if self.owners is None else Folder(path, self.owners)

    def _known(
        self, folder: Folder, name: str, kind: type[Document], *, settle: bool = False
    ) -> Document | None:
        read = self._read(folder, name, kind, settle=settle)
        return read[0] if read else None

    def _read(
        self, folder: Folder, name: str, kind: type[Document], *, settle: bool = False
    ) -> tuple[Document, Content] | None:
        """A file's document; what is none is put aside."""
        content: Content | None = None
        try:
            content = folder.read(name)
            return (parse(content.raw, kind), content) if content else None
        except BadDocument as error:
            unfinished = error.reason == "no_json" and content is not None
            if not (settle and unfinished and self._is_new(content)):
                self._quarantine.take(folder, name, error.reason, str(error))
            return None

    def _is_new(self, content: Content | None) -> bool:
        age = self.clock.now().timestamp() - content.changed_at if content else SETTLE_SECONDS
        return 0 <= age < SETTLE_SECONDS


def _command(bot: str) -> str:
    return f"{bot}_command.json"


def _names(bot: str) -> tuple[str, ...]:
    return (
        _command(bot),
        f"{bot}_result.json",
        f".{bot}_result.claimed.json",
        f"{bot}_heartbeat.json",
    )
