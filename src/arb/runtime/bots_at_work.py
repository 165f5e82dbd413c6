"""The bots as the API shows, starts and stops them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from arb.adapters.bots.definition import Bots
from arb.adapters.bots.executor import BotTrading
from arb.adapters.bots.status import BotState
from arb.adapters.bots.supervisor import Supervisor
from arb.config.sources import Loaded
from arb.domain.bot import BotSums
from arb.engine.control import Refusal, UnknownTarget
from arb.operations.bot_files import ask_supervisor, bot_rows, row
from arb.ports import Clock
from arb.views.sidecars import Bot, BotWork

STARTED_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class BotsAtWork:
    """See `arb.views.sidecars.Bots`: this process's bots, or those that another one runs."""

    loaded: Loaded
    bots: Bots
    clock: Clock
    trading: Sequence[BotTrading]
    supervisor: Supervisor | None
    """`None` where another process runs them: it is asked by file, as by the shell."""
    sums: Callable[[], Awaitable[Mapping[str, BotSums]]]
    """What each has done, from the ledger."""

    async def list(self) -> Sequence[Bot]:
        """See `Bots`."""
        sums = await self.sums()
        if self.supervisor is None:
            rows = bot_rows(self.loaded, sums)
        else:
            known = {status.bot_name: status for status in self.supervisor.statuses()}
            rows = [
                row(self.bots, name, known.get(name), sums.get(name))
                for name in self.bots.definitions
            ]
        return [self._document(one) for one in rows]

    async def start(self, id_: str) -> Bot:
        """See `Bots`. Waits a little, so that what is answered is how it runs."""
        id_ = id_.lower()
        self._must_be_a_process(id_)
        for one in self.trading:
            one.forgive(id_)
        if self.supervisor is None:
            await ask_supervisor(self.loaded, id_, "start")
        else:
            self.supervisor.start(id_)
            for _ in range(int(STARTED_SECONDS / 0.02)):
                if self.supervisor.status(id_).state in (BotState.RUNNING, BotState.RESTARTING):
                    break
                await self.clock.sleep(0.02)
        return await self._one(id_)

    async def stop(self, id_: str) -> Bot:
        """See `Bots`. Waits until it has ended: its grace, at most."""
        id_ = id_.lower()
        self._must_be_a_process(id_)
        if self.supervisor is None:
            await ask_supervisor(self.loaded, id_, "stop")
        else:
            await self.supervisor.stop(id_)
        return await self._one(id_)

    async def _one(self, id_: str) -> Bot:
        return next(one for one in await self.list() if one.bot_id == id_)

    def _must_be_a_process(self, id_: str) -> None:
        found = self.bots.definitions.get(id_)
        if found is None:
            raise UnknownTarget(f"there is no bot {id_} ({', '.join(self.bots.definitions)})")
        if found.does == "prints":
            raise Refusal(f"{id_} is a script: it is run once for each command")

    def _document(self, row: dict[str, Any]) -> Bot:
        name, state, beat = row["bot_id"], row["state"], row["heartbeat"]
        counts = [one.counts for one in self.trading]
        age = (self.clock.now() - datetime.fromisoformat(beat)).total_seconds() if beat else None
        return Bot(
            bot_id=name,
            name=row["name"],
            does=row["does"],
            status=state,
            is_running=row["pid"] is not None,
            gave_up=state == BotState.FAILED.value,
            script_path=row["script_path"],
            starts=row["starts"],
            stops=row["stops"],
            pid=row["pid"],
            process_id=row["process_id"],
            since=row["since"],
            start_time=row["start_time"],
            restarts=row["restarts"],
            restarts_max=self.bots.definitions[name].restarts_max,
            heartbeat_at=beat,
            heartbeat_age_seconds=None if age is None else max(age, 0.0),
            says=row["says"] if row["pid"] is not None else "",
            last_exit=row["last_exit"],
            error_message=row["error_message"],
            last_activity=row["last_activity"],
            opportunities_found=row["opportunities_found"],
            total_profit=row["total_profit"],
            work=[
                BotWork(plan=plan, event=event)
                for one in self.trading
                for plan, event in one.work(name)
            ],
            asked=sum(one[f"asked:{name}"] for one in counts),
            agreed=sum(one[f"agreed:{name}"] for one in counts),
            failures=max((one.failures[name] for one in self.trading), default=0),
            off_routes=any(name in one.off_routes() for one in self.trading),
        )
