"""How errors are answered: the same codes over HTTP and on the stream."""

from arb.api.audit import AuditError
from arb.domain.errors import ArbError, LedgerError, VenueError
from arb.engine.control import Refusal, Unfit, UnknownTarget

STATUS: tuple[tuple[type[Exception], int, str], ...] = (
    (UnknownTarget, 404, "unknown"),
    (Unfit, 422, "invalid"),
    (Refusal, 409, "refused"),
    (LedgerError, 503, "ledger"),
    (VenueError, 503, "venue"),
    (AuditError, 503, "audit"),
    (ArbError, 503, "unable"),
)
"""Kinds of errors with their status and code, the narrower ones first."""


def code_of(error: ArbError) -> str:
    """The code that names this error to a client."""
    return next(code for kind, _, code in STATUS if isinstance(error, kind))
