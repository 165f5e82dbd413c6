"""Where the contracts of the embedded chain are, and what their functions are called."""

from dataclasses import dataclass

CHAIN_ID = 137
ZERO = "0x" + "0" * 40
RELAY = "0x00000000000000000000000000000000000000aa"
"""Sends what the relayer takes."""
VAULT = "0x00000000000000000000000000000000000000fe"
"""Keeps the fees of conversions."""
ORACLE = "0x00000000000000000000000000000000000000ac"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """The venue's addresses in lower case, so that clients need no special ones."""

    collateral: str = "0xc011a7e12a19f7b1f670d46f03b03f3342e82dfb"
    conditional_tokens: str = "0x4d97dcd97ec945f40cf65f87097ace5ea0476045"
    exchange: str = "0xe111180000d2663c0091e4f400237545b87b996b"
    neg_risk_exchange: str = "0xe2222d279d744050d28e00520010520000310f59"
    exchange_v3: str = "0xe3333700ca9d93003f00f0f71f8515005f6c00aa"
    collateral_adapter: str = "0xada100db00ca00073811820692005400218fce1f"
    neg_risk_collateral_adapter: str = "0xada2005600dec949baf300f4c6120000bdb6eaab"
    neg_risk_adapter: str = "0xd91e80cf2e7be2e162c6513ced06f1dd0da35296"
    router: str = "0x12121212006e4cd160d18e3f00711da5c3372600"
    position_manager: str = "0x006f54f7f9a22e0000cc2ab60031000000ae9fef"

    proxy_factory: str = "0xab45c5a4b0c941a2f231c04c3f49182e1a254052"
    proxy_implementation: str = "0x44e999d5c2f66ef0861317f9a4805ac2e90aeb4f"
    safe_factory: str = "0xaacfeea03eb1561c4e67d661e40682bd20e3541b"
    safe_init_code_hash: str = "0x2bce2127ff07fb632d16c8347c4ebf501f4841168bed00d9e6ef715ddb6fcecf"
    safe_multisend: str = "0xa238cbeb142c10ef7ad8442c6d1f9e89e07e7761"
    deposit_wallet_factory: str = "0x00000000000fb5c9adea0298d729a0cb3823cc07"
    deposit_wallet_implementation: str = "0x58ca52ebe0dadfdf531cde7062e76746de4db1eb"
    deposit_wallet_beacon: str = "0x7a18edfe055488a3128f01f563e5b479d92ffc3a"
    relay_hub: str = "0xd216153c06e857cd7f72665e0af1d7d82172f494"

    @property
    def tradable(self) -> frozenset[str]:
        """The contracts that the relayer lets a wallet call."""
        return frozenset(
            (
                self.collateral,
                self.conditional_tokens,
                self.collateral_adapter,
                self.neg_risk_collateral_adapter,
                self.router,
                self.position_manager,
            )
        )

    @property
    def all(self) -> frozenset[str]:
        """Every address with code."""
        return self.tradable | {
            self.exchange,
            self.neg_risk_exchange,
            self.exchange_v3,
            self.neg_risk_adapter,
            self.proxy_factory,
            self.safe_factory,
            self.safe_multisend,
            self.deposit_wallet_factory,
            self.deposit_wallet_beacon,
        }


DEPLOYMENT = Deployment()
