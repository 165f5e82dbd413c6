"""How the embedded chain, its node and its relayer behave."""

from dataclasses import dataclass
from typing import Literal

GWEI = 10**9


@dataclass(slots=True, kw_only=True)
class ChainBehaviour:
    """Frictions and faults, changeable at run time. G01 … G07: docs/fault-catalogue.md §G."""

    block_seconds: float = 0.1
    mined_after: float = 0.1
    """Between a transaction's arrival and its block."""
    finality_delay: float = 0.1
    """G02: seconds until a block counts as final and the relayer reports CONFIRMED."""

    rpc_429: float = 0.0
    """G01: share of the node's answers that are 429."""
    rpc_down: bool = False
    """G01: the node answers 503."""
    stale_reads: float = 0.0
    """G03: the node's state is this many seconds old; receipts and block numbers are not."""
    reorg_drops: bool = False
    """G03: whether what a reorganisation undoes is lost; otherwise it is mined again."""

    relayer_fail: Literal["no", "precheck", "failed", "invalid"] = "no"
    """G04: `precheck` answers 400 though the balance is there; the others end the action so."""
    precheck_text: str = "simulation failed: zero position balance"
    fail_consumes_nonce: bool = False
    """G04, G05: whether an action that fails on chain uses its nonce up."""
    accept_then_timeout: bool = False
    """G05: the relayer accepts the action, carries it out, and never reports it."""
    timeout_seconds: float = 0.2
    """How long it stays silent before it answers 504."""
    relayer_429: float = 0.0
    """Share of submissions answered with 429."""
    executed_after: float = 0.05
    """Between NEW and EXECUTED."""
    blocked: tuple[str, ...] = ()
    """G07: contracts or four-byte selectors (hex with 0x) that the relayer does not let through."""
    any_target: bool = False
    """Whether the relayer lets calls of contracts through that it does not know."""
    undeployed: bool = False
    """Whether a wallet is there only once it has been created."""

    allowances_checked: bool = True
    gas_price: int = 30 * GWEI
    """What the node advises, in wei."""
    gas_price_needed: int = 0
    """Transactions that offer less stay pending."""
    gas_underestimated: bool = False
    """The node advises too little gas: the transaction is mined and fails."""
    pol: int = 10 * 10**18
    """The gas balance of an unfunded wallet, in wei."""

    fee_bips: int = 0
    """What converting costs."""
    questions: Literal["listed", "reversed"] = "listed"
    """Whether the chain counts an event's questions in Gamma's order."""
    hidden_questions: int = 0
    """Questions prepared on chain that Gamma does not list."""
