"""What the main orchestrator's document calls the package; the program itself is `arb`."""

from arb import __version__

__all__ = ["__version__"]
