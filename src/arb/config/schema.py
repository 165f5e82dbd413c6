"""Every setting, by section: public names, types and bounds. Defaults are those of the options."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from arb.adapters.polymarket.options import BUDGETS, PolymarketOptions
from arb.config.options import default_of, options_of
from arb.engine.options import EngineOptions, GuardOptions
from arb.onchain.liquidations.options import LiquidationOptions
from arb.onchain.options import ChainOptions
from arb.onchain.spreads.options import SpreadOptions
from arb.risk.limits import RiskLimits
from arb.sizing import SizingOptions
from arb.strategies.options import StrategyOptions

T = TypeVar("T")

DATABASES = ("sqlite+aiosqlite://", "postgresql+asyncpg://")
NATS = ("nats://", "tls://")
REDIS = ("redis://", "rediss://")
CLOCK_TIME = r"^(([01][0-9]|2[0-3]):[0-5][0-9])?$"
ADDRESS = re.compile(r"(https?|wss?)://[^/\s]\S*")
EVM = r"^0x[0-9a-fA-F]{40}$"
NODE = re.compile(r"https?://[^/\s]\S*")
ORIGIN = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?")
YEAR_SECONDS = 365 * 86_400


def _database(url: str) -> str:
    if not url.startswith(DATABASES):
        raise PydanticCustomError("database", f"must begin with {' or '.join(DATABASES)}")
    return url


def _nats(url: str) -> str:
    if url and not url.startswith(NATS):
        raise PydanticCustomError("nats", f"must begin with {' or '.join(NATS)}, or be empty")
    return url


def _redis(url: str) -> str:
    if url and not url.startswith(REDIS):
        raise PydanticCustomError("redis", f"must begin with {' or '.join(REDIS)}, or be empty")
    return url


def _node(url: str) -> str:
    if not NODE.fullmatch(url):
        raise PydanticCustomError("node", "is no http or https address")
    return url


def _origin(site: str) -> str:
    if not ORIGIN.fullmatch(site):
        raise PydanticCustomError(
            "origin", "must be one site exactly, such as https://board.example, without * or a path"
        )
    return site


Fraction = Annotated[Decimal, Field(ge=0, le=1)]
# 1 is refused where it might be meant as one percent and would bound nothing.
PartBelowOne = Annotated[Decimal, Field(gt=0, lt=1)]
Percent = Annotated[Decimal, Field(gt=0, le=100)]
# Whole micro-dollars that fit the ledger's 64-bit integers with room to add them up.
Dollars = Annotated[Decimal, Field(ge=0, le=10**9, decimal_places=6)]
Seconds = Annotated[float, Field(ge=0, le=YEAR_SECONDS, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0, le=10**9)]
SomeCount = Annotated[int, Field(ge=1, le=10**9)]
HttpAddress = Annotated[str, Field(pattern=r"^(https?://[^/\s]\S*)?$")]
Contract = Annotated[str, Field(pattern=r"^(0x[0-9a-fA-F]{40})?$")]
FEED = r"^0x[0-9a-fA-F]{40}=0x[0-9a-fA-F]{40}$"
SomeSeconds = Annotated[float, Field(ge=0.01, le=YEAR_SECONDS, allow_inf_nan=False)]


class Section(BaseModel):
    """A table of settings: frozen, and strange names are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ArbitrageSettings(Section):
    """How often cycles run and how much one does."""

    scan_interval: SomeSeconds = default_of(EngineOptions, "scan_interval")
    execution_pause: Seconds = default_of(EngineOptions, "execution_pause")
    plans_per_cycle: Count = default_of(RiskLimits, "plans_per_cycle")
    resolution_check_interval: Seconds = default_of(EngineOptions, "resolution_check_interval")


class TradingSettings(Section):
    """What is worth trading, with what money."""

    max_position_size: Dollars = default_of(RiskLimits, "max_position_size")
    min_profit_threshold: Fraction = default_of(RiskLimits, "min_profit_threshold")
    min_profit_usd: Dollars = default_of(RiskLimits, "min_profit_usd")
    bankroll_usd: Dollars = default_of(EngineOptions, "bankroll_usd")
    live: bool = False
    account: Annotated[str, Field(min_length=1, pattern=r"^\S([^\r\n]*\S)?$")] = "paper:default"
    min_balance_usd: Dollars = Decimal(10)
    answer_wait: Seconds = default_of(EngineOptions, "answer_wait")
    reconcile_interval: SomeSeconds = default_of(EngineOptions, "reconcile_interval")
    reconcile_tolerance: Dollars = default_of(EngineOptions, "reconcile_tolerance")


class SizingSettings(Section):
    """How position sizes follow from edges."""

    method: Literal["arbitrage", "classical"] = default_of(SizingOptions, "method")
    max_fraction: Fraction = default_of(SizingOptions, "max_fraction")
    conservative_factor: Fraction = default_of(SizingOptions, "conservative_factor")
    fill_probability: Fraction = default_of(SizingOptions, "fill_probability")
    partial_loss: Fraction = default_of(SizingOptions, "partial_loss")
    failure_probability: Fraction = default_of(SizingOptions, "failure_probability")
    failure_loss: Fraction = default_of(SizingOptions, "failure_loss")
    learn_after: Annotated[int, Field(ge=0, le=1_000_000)] = default_of(
        SizingOptions, "learn_after"
    )


class RiskSettings(Section):
    """What is never exceeded."""

    risk_per_trade: PartBelowOne | None = default_of(RiskLimits, "risk_per_trade")
    max_drawdown_pct: Percent | None = default_of(RiskLimits, "max_drawdown_pct")
    max_daily_loss_pct: Percent | None = default_of(RiskLimits, "max_daily_loss_pct")
    max_daily_loss: Dollars = default_of(RiskLimits, "max_daily_loss")
    max_open_positions: Count = default_of(RiskLimits, "max_open_positions")
    max_daily_volume: Dollars = default_of(RiskLimits, "max_daily_volume")
    max_consecutive_failures: SomeCount = default_of(RiskLimits, "max_consecutive_failures")
    max_voided: Annotated[Decimal, Field(ge=0, le=1)] = default_of(RiskLimits, "max_voided")
    max_book_age: SomeSeconds = default_of(RiskLimits, "max_book_age")
    throttle_at: Fraction = default_of(RiskLimits, "throttle_at")
    max_event_exposure: Dollars = default_of(RiskLimits, "max_event_exposure")
    max_partial_loss: Dollars = default_of(RiskLimits, "max_partial_loss")
    adverse_move: Fraction = default_of(RiskLimits, "adverse_move")
    price_collar: Fraction = default_of(GuardOptions, "price_collar")
    max_orders_per_second: SomeCount = default_of(GuardOptions, "max_orders_per_second")
    max_orders_per_minute: SomeCount = default_of(GuardOptions, "max_orders_per_minute")


class WithParts(Section):
    """A section that also holds a table for each installed part that is not ours."""

    model_config = ConfigDict(frozen=True, extra="allow")

    def own(self, name: str) -> Mapping[str, Any]:
        """The table of one part; empty where nothing is set."""
        found = (self.model_extra or {}).get(name, {})
        return found if isinstance(found, Mapping) else {}


class StrategySettings(WithParts):
    """Which strategies look, within which bounds."""

    enabled: tuple[str, ...] = ("binary_complement", "negrisk_no", "negrisk_yes")
    max_legs: Annotated[int, Field(ge=2, le=60)] = default_of(StrategyOptions, "max_legs")
    trade_crossed: bool = default_of(RiskLimits, "trade_crossed")


class VenueSettings(WithParts):
    """Where is looked and traded."""

    enabled: Annotated[tuple[str, ...], Field(min_length=1)] = ("polymarket",)


def _paper_only(live: bool) -> bool:  # noqa: FBT001  # the library's signature
    if live:
        raise PydanticCustomError(
            "paper_only",
            "must be false: statistical strategies trade on paper only, nothing of them is proved",
        )
    return live


class SignalSettings(Section):
    """Whether statistical strategies trade on paper, and within which limits of their own."""

    enabled: bool = False
    live: Annotated[bool, AfterValidator(_paper_only)] = False
    account: Annotated[str, Field(pattern=r"^paper:\S([^\r\n]*\S)?$")] = "paper:signals"
    bankroll_usd: Dollars = default_of(EngineOptions, "bankroll_usd")
    timeframe: Literal["1m", "5m", "15m", "1h", "4h", "1d"] = "1h"
    warm_up: Annotated[int, Field(ge=0, le=10_000)] = 500
    strategy_interval: SomeSeconds = 60
    position_interval: SomeSeconds = 10
    portfolio_interval: SomeSeconds = 300
    max_position: Annotated[Dollars, Field(ge=1)] = Decimal(1000)
    risk_per_trade: Annotated[Decimal, Field(ge=Decimal("0.0001"), le=1)] = Decimal("0.02")
    stop_loss: Fraction = Decimal("0.1")
    take_profit: Annotated[Decimal, Field(ge=0, le=100)] = Decimal("0.2")
    max_drawdown: Fraction = Decimal("0.1")
    max_daily_loss: Fraction = Decimal("0.05")
    slippage_ticks: Annotated[int, Field(ge=0, le=100)] = 1
    pause_after: SomeCount = 10


class DatabaseSettings(Section):
    """Where the ledger is."""

    url: Annotated[str, AfterValidator(_database)] = "sqlite+aiosqlite:///data/arb.db"
    lease: Annotated[float, Field(ge=1, le=60, allow_inf_nan=False)] = 4


class ShardsSettings(Section):
    """Whether other processes read books for this one, and how they are spoken to."""

    url: Annotated[str, AfterValidator(_nats)] = ""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "arb"
    markets_per_part: Annotated[int, Field(ge=1, le=1000)] = 500
    patience: Annotated[float, Field(ge=0.5, le=60, allow_inf_nan=False)] = 6


class RedisSettings(Section):
    """Where processes that the venue sees behind one address share its budgets."""

    url: Annotated[str, AfterValidator(_redis)] = ""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] = "arb"


class LoggingSettings(Section):
    """What is logged, and where to."""

    level: Literal["TRACE", "DEBUG", "INFO", "SUCCESS", "WARNING", "ERROR", "CRITICAL"] = "INFO"
    folder: str = "logs"
    rotation: str = "100 MB"
    retention: str = "30 days"
    compression: str = "zip"
    json_lines: bool = Field(default=False, alias="json")
    portfolio_every: Seconds = 3600


class ApiSettings(Section):
    """Whether and where the control API listens, and whom it lets in."""

    enabled: bool = False
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    token: SecretStr | None = None
    token_file: Annotated[str, Field(min_length=1)] = "data/api-tokens.json"
    audit_file: str = "data/api-audit.jsonl"
    allowed_hosts: tuple[str, ...] = ()
    requests_per_minute: Annotated[int, Field(ge=10, le=1_000_000)] = 600
    open_metrics: bool = False
    open_on_loopback: bool = False
    cors_origins: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    tls_certificate: str = ""
    tls_key: str = ""


class BotsSettings(Section):
    """External bots, and where they are spoken to."""

    definitions: str = "config/bots.toml"
    folder: Annotated[str, Field(min_length=1)] = "comm"
    logs: Annotated[str, Field(min_length=1)] = "logs/bots"
    supervise: bool = True
    monitor_interval: SomeSeconds = 10


class AlertsSettings(Section):
    """When a person is alerted, where, and how often at most."""

    urls: SecretStr | None = None
    console: bool = False
    level: Literal["CRITICAL", "HIGH", "MEDIUM", "LOW"] = "LOW"
    balance_low_usd: Dollars = Decimal(100)
    inclusion_rate: Fraction = Decimal("0.5")
    inclusion_plans: Annotated[int, Field(ge=1, le=1000)] = 10
    failures: SomeCount = 2
    trades: bool = False
    volume_part: Fraction = Decimal("0.8")
    repeat_after: Seconds = 3600
    per_hour: Annotated[int, Field(ge=1, le=3600)] = 30
    quiet_from: Annotated[str, Field(pattern=CLOCK_TIME)] = ""
    quiet_to: Annotated[str, Field(pattern=CLOCK_TIME)] = ""
    summary_at: Annotated[str, Field(pattern=CLOCK_TIME)] = "00:00"


class ReportSettings(Section):
    """Whether reports for spreadsheets are written while it runs."""

    csv_every: Annotated[float, Field(ge=0, le=31_536_000, allow_inf_nan=False)] = 0
    folder: Annotated[str, Field(min_length=1)] = "reports"


class CloudWatchSettings(Section):
    """Whether figures go to Amazon CloudWatch. Credentials come from boto3's own chain alone."""

    enabled: bool = False
    namespace: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/#-][A-Za-z0-9._/#:-]{0,254}$")] = "arb"
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]*$")] = ""
    endpoint_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]\S*)?$")] = ""
    interval: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = 60


class ChainSettings(Section):
    """One EVM chain: by which nodes it is asked, and whose key signs for it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] = default_of(
        ChainOptions, "name"
    )
    chain_id: Annotated[int, Field(ge=1, le=2**53)] = default_of(ChainOptions, "chain_id")
    rpc_urls: tuple[Annotated[str, AfterValidator(_node)], ...] = default_of(
        ChainOptions, "rpc_urls"
    )
    connect_timeout_seconds: SomeSeconds = default_of(ChainOptions, "connect_timeout_seconds")
    read_timeout_seconds: SomeSeconds = default_of(ChainOptions, "read_timeout_seconds")
    answer_seconds_max: SomeSeconds = default_of(ChainOptions, "answer_seconds_max")
    pause_seconds: SomeSeconds = default_of(ChainOptions, "pause_seconds")
    poll_seconds: SomeSeconds = default_of(ChainOptions, "poll_seconds")
    wait_blocks: SomeCount = default_of(ChainOptions, "wait_blocks")
    gas_headroom: Annotated[Decimal, Field(ge=1, le=10)] = default_of(ChainOptions, "gas_headroom")
    fee_gwei_max: Annotated[Decimal, Field(gt=0, le=10**6, decimal_places=9)] = default_of(
        ChainOptions, "fee_gwei_max"
    )
    l1_fee_oracle: Contract = default_of(ChainOptions, "l1_fee_oracle")
    keystore: str = default_of(ChainOptions, "keystore")
    keystore_passphrase: SecretStr | None = None
    keystore_passphrase_file: str = default_of(ChainOptions, "keystore_passphrase_file")
    keyring: str = default_of(ChainOptions, "keyring")
    private_key: SecretStr | None = None

    @property
    def options(self) -> ChainOptions:
        """The same, for what works on the chain."""
        secrets = {"keystore_passphrase": self.keystore_passphrase, "private_key": self.private_key}
        plain = {name: one and one.get_secret_value() for name, one in secrets.items()}
        return options_of(ChainOptions, {**dict(self), **plain})


class SpreadsSettings(Section):
    """Price differences between pools on the chain of `[chain]`."""

    enabled: bool = default_of(SpreadOptions, "enabled")
    live: bool = default_of(SpreadOptions, "live")
    account: Annotated[str, Field(pattern=r"^spreads:\S{1,64}$")] = default_of(
        SpreadOptions, "account"
    )
    interval: Annotated[float, Field(ge=1, le=86_400, allow_inf_nan=False)] = default_of(
        SpreadOptions, "interval"
    )
    pools: tuple[str, ...] = default_of(SpreadOptions, "pools")
    quoter: Contract = default_of(SpreadOptions, "quoter")
    dollars: tuple[Annotated[str, Field(pattern=EVM)], ...] = default_of(SpreadOptions, "dollars")
    wrapped: Contract = default_of(SpreadOptions, "wrapped")
    min_spread: PartBelowOne = default_of(SpreadOptions, "min_spread")
    min_profit_usd: Dollars = default_of(SpreadOptions, "min_profit_usd")
    max_input_usd: Dollars = default_of(SpreadOptions, "max_input_usd")
    max_hops: Annotated[int, Field(ge=2, le=3)] = default_of(SpreadOptions, "max_hops")
    max_block_age: SomeSeconds = default_of(SpreadOptions, "max_block_age")
    executor: Contract = default_of(SpreadOptions, "executor")
    sender: Contract = default_of(SpreadOptions, "sender")
    flash_bots: tuple[str, ...] = default_of(SpreadOptions, "flash_bots")
    answer_seconds: SomeSeconds = default_of(SpreadOptions, "answer_seconds")
    curve_url: HttpAddress = default_of(SpreadOptions, "curve_url")
    balancer_url: HttpAddress = default_of(SpreadOptions, "balancer_url")
    oneinch_url: HttpAddress = default_of(SpreadOptions, "oneinch_url")
    oneinch_key: SecretStr | None = None

    @property
    def options(self) -> SpreadOptions:
        """The same, for what looks at the pools."""
        key = self.oneinch_key and self.oneinch_key.get_secret_value()
        return options_of(SpreadOptions, {**dict(self), "oneinch_key": key})


class LiquidationSettings(Section):
    """Which loans are watched for liquidation, and what is worth a transaction."""

    enabled: bool = default_of(LiquidationOptions, "enabled")
    live: bool = default_of(LiquidationOptions, "live")
    account: Annotated[str, Field(pattern=r"^liquidations:\S+$")] = default_of(
        LiquidationOptions, "account"
    )
    pool: Contract = default_of(LiquidationOptions, "pool")
    from_block: Annotated[int, Field(ge=0, le=2**53)] = default_of(LiquidationOptions, "from_block")
    borrowers_file: str = default_of(LiquidationOptions, "borrowers_file")
    interval: SomeSeconds = default_of(LiquidationOptions, "interval")
    reread_every: SomeCount = default_of(LiquidationOptions, "reread_every")
    small_debt_usd: Count = default_of(LiquidationOptions, "small_debt_usd")
    watch_below: Annotated[Decimal, Field(ge=1, le=1000)] = default_of(
        LiquidationOptions, "watch_below"
    )
    native_asset: Contract = default_of(LiquidationOptions, "native_asset")
    native_price_usd: Annotated[Decimal, Field(gt=0, le=10**9, decimal_places=6)] | None = (
        default_of(LiquidationOptions, "native_price_usd")
    )
    price_feeds: tuple[Annotated[str, Field(pattern=FEED)], ...] = default_of(
        LiquidationOptions, "price_feeds"
    )
    feed_age_max: SomeCount = default_of(LiquidationOptions, "feed_age_max")
    quoter: Contract = default_of(LiquidationOptions, "quoter")
    router: Contract = default_of(LiquidationOptions, "router")
    router_deadline: bool = default_of(LiquidationOptions, "router_deadline")
    pool_fees: tuple[Annotated[int, Field(ge=1, lt=10**6)], ...] = default_of(
        LiquidationOptions, "pool_fees"
    )
    min_profit_usd: Dollars = default_of(LiquidationOptions, "min_profit_usd")
    max_repay_usd: Dollars = default_of(LiquidationOptions, "max_repay_usd")
    max_daily_usd: Dollars = default_of(LiquidationOptions, "max_daily_usd")
    slippage_bps: Annotated[int, Field(ge=0, le=1000)] = default_of(
        LiquidationOptions, "slippage_bps"
    )
    oracle_deviation_bps: Annotated[int, Field(ge=0, le=5000)] = default_of(
        LiquidationOptions, "oracle_deviation_bps"
    )
    relay_url: Annotated[str, Field(pattern=r"^(https?://[^/\s]\S*)?$")] = default_of(
        LiquidationOptions, "relay_url"
    )
    bundle_blocks: Annotated[int, Field(ge=1, le=100)] = default_of(
        LiquidationOptions, "bundle_blocks"
    )
    min_inclusion: Fraction = default_of(LiquidationOptions, "min_inclusion")
    inclusion_window: Annotated[int, Field(ge=1, le=1000)] = default_of(
        LiquidationOptions, "inclusion_window"
    )
    max_errors: SomeCount = default_of(LiquidationOptions, "max_errors")
    min_gas: Annotated[Decimal, Field(ge=0, le=10**6, decimal_places=18)] = default_of(
        LiquidationOptions, "min_gas"
    )

    @property
    def options(self) -> LiquidationOptions:
        """The same, for what works on the chain; addresses in small letters."""
        lower = {
            name: getattr(self, name).lower()
            for name in ("pool", "native_asset", "quoter", "router")
        }
        feeds = tuple(one.lower() for one in self.price_feeds)
        return options_of(LiquidationOptions, {**dict(self), **lower, "price_feeds": feeds})


class Settings(BaseSettings):
    """All settings. Made by `arb.config.sources.load`, which knows where each value came from."""

    model_config = SettingsConfigDict(
        env_prefix="ARB_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    arbitrage: ArbitrageSettings = ArbitrageSettings()
    trading: TradingSettings = TradingSettings()
    sizing: SizingSettings = SizingSettings()
    risk: RiskSettings = RiskSettings()
    strategies: StrategySettings = StrategySettings()
    venues: VenueSettings = VenueSettings()
    signals: SignalSettings = SignalSettings()
    polymarket: PolymarketOptions = PolymarketOptions()
    database: DatabaseSettings = DatabaseSettings()
    shards: ShardsSettings = ShardsSettings()
    redis: RedisSettings = RedisSettings()
    logging: LoggingSettings = LoggingSettings()
    api: ApiSettings = ApiSettings()
    bots: BotsSettings = BotsSettings()
    alerts: AlertsSettings = AlertsSettings()
    cloudwatch: CloudWatchSettings = CloudWatchSettings()
    report: ReportSettings = ReportSettings()
    chain: ChainSettings = ChainSettings()
    spreads: SpreadsSettings = SpreadsSettings()
    liquidations: LiquidationSettings = LiquidationSettings()

    def options(self, kind: type[T], **given: Any) -> T:
        """Options of the engine or of a strategy, from the settings of the same names.

        Args:
            kind: A dataclass. An option that is no setting keeps its default.
            given: Options that are no settings, by name.
        """
        tables = (self.arbitrage, self.trading, self.sizing, self.risk, self.strategies)
        return options_of(kind, {name: value for table in tables for name, value in table}, **given)

    @property
    def account(self) -> str:
        """Which account of the ledger is meant: the wallet's, once live is switched on."""
        wallet = self.polymarket.wallet
        if self.trading.live and wallet:
            return f"polymarket:{wallet.lower()}"
        return self.trading.account

    @property
    def accounts(self) -> tuple[str, ...]:
        """Every account that a run with these settings may trade for."""
        return tuple(dict.fromkeys((self.account, self.trading.account)))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the library's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load` has gathered: it reads the other sources itself, to tell them apart."""
        return (init_settings,)


SECRETS = frozenset(
    {
        "polymarket.keystore_passphrase",
        "polymarket.private_key",
        "polymarket.wallet",
        "polymarket.api_key",
        "polymarket.api_secret",
        "polymarket.api_passphrase",
        "polymarket.relayer_key",
        "polymarket.relayer_key_address",
        "polymarket.builder_key",
        "polymarket.builder_secret",
        "polymarket.builder_passphrase",
        "api.token",
        "alerts.urls",
        "chain.keystore_passphrase",
        "chain.private_key",
        "spreads.oneinch_key",
    }
)
"""Settings that are masked wherever they are shown and taken from no file but `.env`."""

MAPPINGS = {"polymarket.requests_per_10_seconds": tuple(BUDGETS)}
"""Settings that are tables, with the names that they may hold."""

_MAY_BE_ZERO = frozenset(
    {
        "universe_max_age_seconds",
        "confirmation_max_age_seconds",
        "quarantine_files_max",
        "liquidity_min",
    }
)
OPTION_MAX = 10**12
"""No number of seconds, bytes or requests is larger."""
_VENUE_MOST = {"events_per_page": 500, "books_per_request": 500}


def faults(options: PolymarketOptions) -> Iterator[tuple[str, Any, str]]:
    """What the types of the venue's options cannot express: a name, its value, what is wrong."""
    for field in fields(options):
        name, value = field.name, getattr(options, field.name)
        if name.endswith(("_url", "_urls")):
            bad = [url for url in _each(value) if not ADDRESS.fullmatch(url)]
            if bad:
                yield name, bad[0], "is no http, https, ws or wss address"
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield from ((name, value, what) for what in _out_of_bounds(name, value))
    for name, budget in options.requests_per_10_seconds.items():
        if budget < 1:
            yield f"requests_per_10_seconds.{name}", budget, "must be at least 1"


def _each(value: str | tuple[str, ...]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value


def _out_of_bounds(name: str, value: float) -> Iterator[str]:
    if not math.isfinite(value) or value < 0 or (value == 0 and name not in _MAY_BE_ZERO):
        yield "must be 0 or more" if name in _MAY_BE_ZERO else "must be more than 0"
    elif name in _VENUE_MOST and value > _VENUE_MOST[name]:
        yield f"the venue's most is {_VENUE_MOST[name]}"
    elif value > OPTION_MAX:
        yield f"must be {OPTION_MAX} or less"
