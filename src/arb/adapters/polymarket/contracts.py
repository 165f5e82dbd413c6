"""The address book: Polymarket's contracts on Polygon (docs/venue-polymarket.md §7.1)."""

from dataclasses import dataclass

POLYGON = 137


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts:
    """Where everything is. Every address can be pointed elsewhere."""

    chain_id: int = POLYGON
    collateral: str = "0xC011a7E12a19f7B1f670d46F03B03f3342E82DFB"
    """pUSD, an ERC-20 with six decimals."""
    conditional_tokens: str = "0x4D97DCd97eC945f40cF65F87097ACe5EA0476045"
    """v1 outcome tokens, ERC-1155."""
    exchange: str = "0xE111180000d2663C0091e4f400237545B87B996B"
    neg_risk_exchange: str = "0xe2222d279d744050d28e00520010520000310F59"
    exchange_v3: str = "0xe3333700cA9d93003F00f0F71f8515005F6c00Aa"
    collateral_adapter: str = "0xAdA100Db00Ca00073811820692005400218FcE1f"
    """Splits, merges and redeems plain v1 markets."""
    neg_risk_collateral_adapter: str = "0xadA2005600Dec949baf300f4C6120000bDB6eAab"
    """The same of neg-risk markets; also converts."""
    neg_risk_adapter: str = "0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296"
    """Only asked: which question a condition is, how many there are, what a conversion costs."""
    router: str = "0x12121212006e4CD160D18e3f00711DA5c3372600"
    """Splits, merges and redeems v2 markets."""
    position_manager: str = "0x006F54F7f9A22e0000CC2AB60031000000ae9fEF"
    """v2 outcome tokens, ERC-1155."""
    auto_redeemer: str = "0xa1200000d0002264C9a1698e001292D00E1b00af"

    def adapter(self, *, neg_risk: bool) -> str:
        """What splits, merges and redeems a v1 market."""
        return self.neg_risk_collateral_adapter if neg_risk else self.collateral_adapter
