"""Why a candidate was traded or not: every candidate ends in exactly one of these."""

from enum import StrEnum


class Reason(StrEnum):
    """The one named end of a candidate, in the order in which the gates are passed."""

    # From the venue's listing.
    OPEN_ENDED = "augmented"
    MISSING_OUTCOME = "missing_outcome"
    CLOSED_SIBLING = "closed_sibling"
    LISTED_DIFFERENTLY = "listed_differently"
    NOT_ACCEPTING = "not_accepting"
    BEING_RESOLVED = "being_resolved"
    DELAYED = "delayed"
    NO_FEE_SCHEDULE = "no_fee_schedule"
    # From the books.
    MISSING_BOOK = "missing_book"
    STALE_BOOK = "stale_book"
    MIRROR_MISMATCH = "mirror_mismatch"
    CROSSED_BOOK = "crossed_book"
    TAKEN_BEFORE = "taken_before"
    NO_EDGE = "no_edge"
    FEES_EXCEED_EDGE = "fees_exceed_edge"
    BELOW_MIN_SIZE = "below_min_size"
    TOO_MANY_LEGS = "too_many_legs"
    # From the proof.
    BAD_LEGS = "bad_legs"
    OFF_TICK = "off_tick"
    NOT_WHOLE_CENTS = "not_whole_cents"
    NOT_ENOUGH_DEPTH = "not_enough_depth"
    SHARED_LIQUIDITY = "shared_liquidity"
    TOO_MANY_WORLDS = "too_many_worlds"
    NOT_PROFITABLE = "not_profitable"
    # From the venue's own metadata when queried again.
    MARKET_UNCONFIRMED = "market_unconfirmed"
    MARKET_CHANGED = "market_changed"
    CHAIN_COUNT_UNKNOWN = "chain_count_unknown"
    CHAIN_COUNT_DIFFERS = "chain_count_differs"
    # From sizing and risk.
    BELOW_MIN_PROFIT = "below_min_profit"
    BELOW_MIN_PROFIT_USD = "below_min_profit_usd"
    KELLY_ZERO = "kelly_zero"
    SIZED_BELOW_MIN = "sized_below_min"
    OUTCOME_TAKEN = "outcome_taken"
    HALTED = "halted"
    CONTRADICTED = "contradicted"
    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    OPEN_POSITIONS = "open_positions"
    POSITION_SIZE = "position_size"
    DAILY_VOLUME = "daily_volume"
    CASH = "cash"
    EVENT_EXPOSURE = "event_exposure"
    UNSAFE = "unsafe"
    WIDE_SPREAD = "wide_spread"
    RISK_PER_TRADE = "risk_per_trade"
    STALE_DATA = "stale_data"
    CONSECUTIVE_FAILURES = "consecutive_failures"
    PLANS_PER_CYCLE = "plans_per_cycle"
    # From execution.
    EDGE_VANISHED = "edge_vanished"
    SENT_BEFORE = "sent_before"
    EXECUTION_FAILED = "execution_failed"
    STOPPED = "stopped"
    NOT_TRADED = "not_traded"
    FILLED = "filled"

    @property
    def sentence(self) -> str:
        """The reason in words, for people."""
        return _SENTENCES[self]


_SENTENCES = {
    Reason.OPEN_ENDED: "the event may grow new outcomes, so its YES set is not exhaustive",
    Reason.MISSING_OUTCOME: "an outcome of the event could not be read, so the set is not complete",
    Reason.CLOSED_SIBLING: "an outcome of the event is closed already, so the set is not complete",
    Reason.LISTED_DIFFERENTLY: "the listing contradicts itself about a market of the set",
    Reason.NOT_ACCEPTING: "a market of the set takes no orders now",
    Reason.BEING_RESOLVED: "a market of the set is being resolved, or has been",
    Reason.DELAYED: "a market of the set holds taking orders back before matching them",
    Reason.NO_FEE_SCHEDULE: "fees are charged and the venue did not say how much",
    Reason.MISSING_BOOK: "a book of the set did not come",
    Reason.STALE_BOOK: "a book of the set is too old",
    Reason.MIRROR_MISMATCH: "YES and NO book of one market are not mirrors: bad data, not profit",
    Reason.CROSSED_BOOK: "bid and ask of one book cross: the engine stands still",
    Reason.TAKEN_BEFORE: "our own paper fills took it; the venue still shows it",
    Reason.NO_EDGE: "prices leave no edge",
    Reason.FEES_EXCEED_EDGE: "the taker fees exceed the edge",
    Reason.BELOW_MIN_SIZE: "the edge ends before the venue's least order",
    Reason.TOO_MANY_LEGS: "the set has more legs than are sent together",
    Reason.BAD_LEGS: "the legs contradict themselves",
    Reason.OFF_TICK: "a limit price is not on the market's grid",
    Reason.NOT_WHOLE_CENTS: "the whole cents of a buying leg cannot all be spent within its limit",
    Reason.NOT_ENOUGH_DEPTH: "a book is too thin within its limit price",
    Reason.SHARED_LIQUIDITY: "two legs would take the same resting orders",
    Reason.TOO_MANY_WORLDS: "the markets are related in more ways than can be looked through",
    Reason.NOT_PROFITABLE: "in the worst world the legs pay no more than they cost",
    Reason.MARKET_UNCONFIRMED: "the exchange did not confirm a market's trading rules",
    Reason.MARKET_CHANGED: "the exchange's trading rules differ from the listing's",
    Reason.CHAIN_COUNT_UNKNOWN: "how many outcomes the event has on chain could not be read",
    Reason.CHAIN_COUNT_DIFFERS: "the chain counts more or fewer outcomes than the listing",
    Reason.BELOW_MIN_PROFIT: "the profit is below the threshold, as a fraction of cost",
    Reason.BELOW_MIN_PROFIT_USD: "the profit is below the threshold, in dollars",
    Reason.KELLY_ZERO: "the Kelly fraction is zero: the edge does not pay for its risk",
    Reason.SIZED_BELOW_MIN: "what sizing allows is below the venue's least order",
    Reason.OUTCOME_TAKEN: "a better opportunity or an open plan already uses one of its markets",
    Reason.HALTED: "trading is halted until an operator resumes it",
    Reason.CONTRADICTED: "an earlier trade of this kind ended otherwise than was proved",
    Reason.DAILY_LOSS: "the day's loss has reached its limit",
    Reason.DRAWDOWN: "the account is too far below the highest equity that it has had",
    Reason.OPEN_POSITIONS: "the number of open positions has reached its limit",
    Reason.POSITION_SIZE: "the position would exceed its limit",
    Reason.DAILY_VOLUME: "the day's volume would exceed its limit",
    Reason.EVENT_EXPOSURE: "too much would be bound in one event",
    Reason.UNSAFE: "filled only in part, the plan could cost more than is allowed",
    Reason.WIDE_SPREAD: "bought on a signal, it would reach its stop at once: the bid is too low",
    Reason.RISK_PER_TRADE: "filled only in part, the plan could cost too much of the equity",
    Reason.CASH: "there is not enough free cash",
    Reason.STALE_DATA: "the books are older than the limit by the time of the decision",
    Reason.CONSECUTIVE_FAILURES: "too many plans in a row have failed",
    Reason.PLANS_PER_CYCLE: "the cycle's plans are used up",
    Reason.EDGE_VANISHED: "read again before trading, the edge was gone",
    Reason.SENT_BEFORE: "the same orders were sent a moment ago; the next cycle looks again",
    Reason.EXECUTION_FAILED: "execution failed; see the plan's facts",
    Reason.STOPPED: "the orchestrator was stopped before its turn",
    Reason.NOT_TRADED: "detection only: nothing is traded",
    Reason.FILLED: "every leg was filled",
}


def sentence_of(reason: str, otherwise: str = "a reason of the strategy's own") -> str:
    """A reason in words; what is none of these is a strategy's own."""
    return Reason(reason).sentence if reason in set(Reason) else otherwise
