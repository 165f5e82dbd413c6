"""Figures to Amazon CloudWatch, by a thread of its own: no caller waits for it."""

import re
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from arb.adapters.telemetry.figures import Figure, Spread
from arb.domain.errors import ConfigError, how_to_install

EXTRA = how_to_install("cloudwatch")
QUEUE_MAX = 60
"""Samples that wait while the service is away: an hour of them, by default."""
PAUSE_SECONDS = 1.0
"""After a sample that was not taken; twice that after the next one, and so on."""
PAUSE_SECONDS_MAX = 60.0
CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 2
"""The library's own attempts, for failures that pass at once."""
_ADDRESS = re.compile(r"0x([0-9a-fA-F]{4})[0-9a-fA-F]{32}([0-9a-fA-F]{4})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudWatchOptions:
    """Where figures go. Credentials come from boto3's own chain alone."""

    namespace: str
    region: str = ""
    """Empty: the one of the library's own configuration."""
    endpoint_url: str = ""
    """Empty: the region's own address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Figures of one moment."""

    at: datetime
    figures: tuple[Figure, ...]


@dataclass(slots=True)
class CloudWatch:
    """The service. Making one sends no request; the first sample looks for credentials."""

    options: CloudWatchOptions
    account: str
    client: Any = None
    """The library's client; made for the first sample."""
    _session: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            import boto3
            from botocore.exceptions import BotoCoreError
        except ImportError as error:
            raise ConfigError(
                f"cloudwatch.enabled needs the library {error.name}; {EXTRA}"
            ) from None
        try:
            self._session = boto3.Session(region_name=self.options.region or None)
            region = self._session.region_name
        except BotoCoreError as error:
            raise ConfigError(f"cloudwatch: {error}") from None
        if not region:
            raise ConfigError("cloudwatch.region is not known; set ARB_CLOUDWATCH__REGION")

    def put(self, sample: Sample) -> None:
        """Bring a sample there, or raise. May take its time."""
        if self.client is None:
            self.client = self._connect()
        self.client.put_metric_data(
            Namespace=self.options.namespace,
            MetricData=[_datum(figure, self.account, sample.at) for figure in sample.figures],
        )

    def _connect(self) -> Any:
        from botocore.config import Config

        config = Config(
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        )
        return self._session.client(
            "cloudwatch", endpoint_url=self.options.endpoint_url or None, config=config
        )


def shown(account: str) -> str:
    """The account as a dimension: ASCII, and a wallet by its ends alone."""
    short = _ADDRESS.sub(r"0x\1..\2", account)
    return short.encode("ascii", "replace").decode()


def _datum(figure: Figure, account: str, at: datetime) -> dict[str, Any]:
    dimensions = [{"Name": "account", "Value": shown(account)}]
    if figure.label is not None:
        name, value = figure.label
        dimensions.append({"Name": name, "Value": value})
    measured: dict[str, Any] = {"Value": figure.value}
    if isinstance(figure.value, Spread):
        spread = figure.value
        measured = {
            "StatisticValues": {
                "SampleCount": spread.count,
                "Sum": spread.total,
                "Minimum": spread.least,
                "Maximum": spread.most,
            }
        }
    return {
        "MetricName": figure.name,
        "Dimensions": dimensions,
        "Timestamp": at,
        "Unit": figure.unit.value,
        **measured,
    }


class Exporter:
    """Brings samples there in their order; those that were not taken wait and are tried again."""

    def __init__(
        self,
        put: Callable[[Sample], None],
        tell: Callable[[str], None],
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self.counts: Counter[str] = Counter()
        """`sent`, `failed` attempts, `dropped`."""
        self._put, self._tell, self._pause_seconds = put, tell, pause_seconds
        self._waiting: deque[Sample] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._failures = 0
        self._thread = threading.Thread(target=self._work, name="cloudwatch", daemon=True)
        self._thread.start()

    def send(self, sample: Sample) -> None:
        """Hand a sample over; the oldest one goes where there are too many. Never waits long."""
        with self._changed:
            self._waiting.append(sample)
            self._bound()
            self._changed.notify()

    def close(self, seconds: float) -> bool:
        """Give what waits a little time; false where it was not all taken."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive() and not self._waiting

    def _work(self) -> None:
        while (sample := self._next()) is not None:
            try:
                self._put(sample)
            except Exception as error:  # noqa: BLE001  # whatever the service does, trading goes on
                if not self._failed(sample, f"{type(error).__name__}: {error}"):
                    return
            else:
                self._sent()

    def _next(self) -> Sample | None:
        with self._changed:
            while not self._waiting and not self._closing:
                self._changed.wait()
            return self._waiting.popleft() if self._waiting else None

    def _sent(self) -> None:
        self.counts["sent"] += 1
        if self._failures:
            self._failures = 0
            self._tell("accepts figures again")

    def _failed(self, sample: Sample, what: str) -> bool:
        """Keep the sample and wait; false: there is no time to try again."""
        self.counts["failed"] += 1
        if not self._failures:
            self._tell(f"does not accept figures, which wait: {what}")
        pause = min(self._pause_seconds * 2 ** min(self._failures, 10), PAUSE_SECONDS_MAX)
        self._failures += 1
        with self._changed:
            self._waiting.appendleft(sample)
            self._bound()
            return not self._changed.wait_for(lambda: self._closing, pause)

    def _bound(self) -> None:
        while len(self._waiting) > QUEUE_MAX:
            self._waiting.popleft()
            self.counts["dropped"] += 1
