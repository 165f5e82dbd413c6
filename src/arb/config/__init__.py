"""Settings: where they come from and what they mean.

`from arb.config import settings` gives the settings in force, read when first asked for:
`settings.arbitrage.scan_interval`, `settings.trading.max_position_size`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from arb.config.schema import Settings

    settings: Settings


def __getattr__(name: str) -> Any:
    if name == "settings":
        from arb.config.sources import load  # noqa: PLC0415  # read when first asked for

        return globals().setdefault("settings", load().settings)
    raise AttributeError(name)
