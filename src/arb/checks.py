"""Checks of what a run needs: one thing each, with its fix. No answer is not a no."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from arb.domain.errors import ArbError, Unavailable, VenueError


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that works or does not, and how to fix it."""

    name: str
    passed: bool
    detail: str
    fix: str = ""
    remote: bool = False
    """Whether it failed because the venue did not answer."""
    asked: bool = True
    """False: it could not be asked, so nothing is known; such a check has not passed."""

    @property
    def word(self) -> str:
        """The result in one word."""
        if not self.asked:
            return "SKIP"
        return "PASS" if self.passed else "FAIL"

    def document(self) -> dict[str, object]:
        """For scripts."""
        return {
            "check": self.name,
            "passed": self.passed,
            "asked": self.asked,
            "detail": self.detail,
            "fix": self.fix,
            "mend": self.fix,  # the old name of `fix`, kept for one version
        }


async def tried(name: str, work: Callable[[], Awaitable[str]], fix: str) -> Check:
    """Run one check: its detail is what the work returns, or why it failed."""
    try:
        return Check(name=name, passed=True, detail=await work())
    except ArbError as error:
        away = isinstance(error, VenueError)
        return Check(name=name, passed=False, detail=str(error), fix=fix, remote=away)


async def asked(name: str, work: Callable[[], Awaitable[str]], fix: str) -> Check:
    """Run one check that asks a server: no answer is `SKIP`, not a failure."""
    try:
        return Check(name=name, passed=True, detail=await work())
    except Unavailable as error:
        return unasked(name, str(error))
    except ArbError as error:
        return Check(name=name, passed=False, detail=str(error), fix=fix)


def unasked(name: str, why: str = "the exchange does not answer") -> Check:
    """A check that could not be asked."""
    return Check(name=name, passed=False, detail=f"not asked: {why}", remote=True, asked=False)
