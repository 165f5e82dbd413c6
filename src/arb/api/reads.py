"""What the API shows of the ledger, as documents, independent of their source."""

from collections.abc import Sequence
from typing import Any, Protocol

Document = dict[str, Any]


class Reads(Protocol):
    """Reads of one account. All raise `LedgerError` when the ledger does not answer."""

    async def portfolio(self) -> Document:
        """The account at a glance."""
        ...

    async def positions(self) -> Sequence[Document]:
        """What is held."""
        ...

    async def profit(self, limit: int) -> Sequence[Document]:
        """How plans ended, oldest first: when, which kind, what they realised."""
        ...

    async def opportunities(self, *, limit: int, everything: bool) -> Sequence[Document]:
        """The latest proven opportunities, or every candidate kept, newest first."""
        ...

    async def opportunity(self, id_: str) -> Document | None:
        """One candidate with its certificate."""
        ...

    async def plans(self, *, limit: int, only_open: bool) -> Sequence[Document]:
        """The latest plans, newest first."""
        ...

    async def plan(self, id_: str) -> Document | None:
        """One plan with its legs and facts."""
        ...

    async def fills(self, limit: int) -> Sequence[Document]:
        """The latest fills, newest first."""
        ...

    async def cycles(self, limit: int) -> Sequence[Document]:
        """The latest cycles with their counts, newest first."""
        ...

    async def statistics(self) -> Document:
        """The sum of all cycles."""
        ...

    def config(self) -> Sequence[Document]:
        """Every setting, secrets masked."""
        ...


class Alerts(Protocol):
    """What was decided on alerts."""

    def latest(self, limit: int) -> Sequence[Document]:
        """The latest, newest first: level, condition, text, and what became of each."""
        ...


class Bots(Protocol):
    """External bots under supervision. Unknown ids raise `UnknownTarget`."""

    async def list(self) -> Sequence[Document]:
        """Every bot and how it does."""
        ...

    async def start(self, id_: str) -> Document:
        """Start one."""
        ...

    async def stop(self, id_: str) -> Document:
        """Stop one."""
        ...
