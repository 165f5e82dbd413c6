"""Which chain, by which nodes, with whose key. Imports nothing of the extra."""

from dataclasses import dataclass, field
from decimal import Decimal

WEI_PER_GWEI = 10**9
L1_FEE_ORACLES = dict.fromkeys((10, 8453), "0x420000000000000000000000000000000000000f")
"""Of OP Mainnet and Base, at the same address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainOptions:
    """One EVM chain and how it is used."""

    name: str = "base"
    """What messages and accounts call it."""
    chain_id: int = 8453
    """A node of another chain is not asked."""
    rpc_urls: tuple[str, ...] = ()
    """The primary node, then its backups in order; empty: no chain is used."""
    connect_timeout_seconds: float = 3.0
    read_timeout_seconds: float = 5.0
    """Between two pieces of an answer, while there is another node to ask instead."""
    answer_seconds_max: float = 15.0
    """For a whole answer."""
    pause_seconds: float = 30.0
    """How long a node that failed is asked last."""
    poll_seconds: float = 1.0
    """Between two looks for a new block or a receipt."""
    wait_blocks: int = 10
    """A transaction that is in none of this number of blocks is waited for no longer."""
    gas_headroom: Decimal = Decimal("1.25")
    """How many times the estimated gas a transaction may use."""
    fee_gwei_max: Decimal = Decimal(50)
    """The most that is paid for a unit of gas: above it nothing is sent."""
    l1_fee_oracle: str = ""
    """The contract that says what a transaction's data costs on the layer below; empty: that of OP
    Mainnet and Base, and none elsewhere."""

    keystore: str = ""
    """An encrypted keystore (version 3) with the key that signs transactions."""
    keystore_passphrase: str | None = field(default=None, repr=False)
    keystore_passphrase_file: str = ""
    """A file with the keystore's passphrase, such as a systemd credential."""
    keyring: str = ""
    """SERVICE/NAME of the key in the system's keyring."""
    private_key: str | None = field(default=None, repr=False)
    """The key itself: the source of last resort."""

    @property
    def fee_oracle(self) -> str:
        """The contract that says what data costs on the layer below; empty: it costs nothing."""
        return self.l1_fee_oracle or L1_FEE_ORACLES.get(self.chain_id, "")

    @property
    def fee_wei_max(self) -> int:
        """The same in wei."""
        return int(self.fee_gwei_max * WEI_PER_GWEI)
