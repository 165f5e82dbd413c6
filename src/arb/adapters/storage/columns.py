"""Column types that keep money exact and time unambiguous."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, Dialect, String
from sqlalchemy.types import TypeDecorator

from arb.domain.money import from_micro, to_micro

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class MicroUnits(TypeDecorator[Decimal]):
    """An amount stored as whole millionths, so that sums in the database are exact.

    Raises:
        ValueError: The amount is finer than a millionth.
        TypeError: The amount is not a `Decimal`.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> int | None:
        """To the database."""
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"{value!r} is not a Decimal")
        return to_micro(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """From the database."""
        return None if value is None else from_micro(int(value))


class DecisionName(TypeDecorator[str]):
    """What became of a candidate; ledgers of before call one that was skipped `passed`."""

    impl = String
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> str:
        """From the database."""
        return "skipped" if value == "passed" else str(value)


class UtcTime(TypeDecorator[datetime]):
    """An instant stored as microseconds since 1970.

    Raises:
        ValueError: The time has no zone.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone")
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else EPOCH + timedelta(microseconds=int(value))
