"""Passes news on: the one place that knows who observes."""

from collections.abc import Callable, Iterable

from arb.domain.news import News

Observer = Callable[[News], None]
"""Gets each piece of news; must not block and must not raise."""


class Publisher:
    """Passes each piece of news to every observer, in the order in which they subscribed."""

    def __init__(self, observers: Iterable[Observer] = ()) -> None:
        """With these observers from the start."""
        self._observers = tuple(observers)

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who gets the news now."""
        return self._observers

    def subscribe(self, observer: Observer) -> None:
        """Pass news to this one as well, from the next on."""
        self._observers = (*self._observers, observer)

    def publish(self, news: News) -> None:
        """Pass it to every observer; one that raises keeps it from none of the others.

        Raises:
            Exception: What the first of those raised, once all have the news: the caller
                must not take for reported what was not.
        """
        errors: list[Exception] = []
        for observer in self._observers:
            try:
                observer(news)
            except Exception as error:  # noqa: BLE001  # raised below
                errors.append(error)
        if errors:
            raise errors[0]
