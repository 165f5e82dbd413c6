"""The settings, by the main orchestrator's document: see `arb.documents`."""

from arb.documents import settings

__all__ = ["settings"]
