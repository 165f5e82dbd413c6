// Every public operation of @polymarket/clob-client-v2, called once.

import { readFileSync } from "node:fs";
import { AssetType, Chain, ClobClient, OrderType, Side } from "@polymarket/clob-client-v2";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { polygon } from "viem/chains";
import { facts, report } from "./report.mjs";

const account = privateKeyToAccount(facts.key);
const transport = http(`${facts.address}/rpc`);
const signer = createWalletClient({ account, chain: polygon, transport });
const options = { host: facts.address, chain: Chain.POLYGON, signer };
const creds = await new ClobClient(options).createOrDeriveApiKey();
const client = new ClobClient({ ...options, creds, throwOnError: true });

const both = (f) => [
  { token_id: f.yes, side: Side.BUY },
  { token_id: f.no, side: Side.SELL },
];
const buy = (f, price, size = 5) => ({ tokenID: f.yes, price, size, side: Side.BUY });
const tick = { tickSize: "0.01" };
const place = async (c, f, price) => (await c.createAndPostOrder(buy(f, price), tick)).orderID;
const day = "2026-11-01";

const calls = {
  getOk: (c) => c.getOk(),
  getVersion: (c) => c.getVersion(),
  getServerTime: (c) => c.getServerTime(),
  getMarkets: (c) => c.getMarkets(),
  getSimplifiedMarkets: (c) => c.getSimplifiedMarkets(),
  getSamplingMarkets: (c) => c.getSamplingMarkets(),
  getSamplingSimplifiedMarkets: (c) => c.getSamplingSimplifiedMarkets(),
  getMarket: (c, f) => c.getMarket(f.condition),
  getClobMarketInfo: (c, f) => c.getClobMarketInfo(f.condition),
  getOrderBook: (c, f) => c.getOrderBook(f.yes),
  getOrderBookHash: async (c, f) => {
    const book = await c.getOrderBook(f.no);
    return [book.hash, await c.getOrderBookHash(book)];
  },
  getOrderBooks: (c, f) => c.getOrderBooks(both(f)),
  getTickSize: (c, f) => c.getTickSize(f.yes),
  getNegRisk: (c, f) => c.getNegRisk(f.yes),
  getFeeRateBps: (c, f) => c.getFeeRateBps(f.yes),
  getFeeExponent: (c, f) => c.getFeeExponent(f.yes),
  getMidpoint: (c, f) => c.getMidpoint(f.yes),
  getMidpoints: (c, f) => c.getMidpoints(both(f)),
  getPrice: async (c, f) => [await c.getPrice(f.yes, Side.BUY), await c.getPrice(f.yes, Side.SELL)],
  getPrices: (c, f) => c.getPrices(both(f)),
  getSpread: (c, f) => c.getSpread(f.yes),
  getSpreads: (c, f) => c.getSpreads(both(f)),
  getLastTradePrice: (c, f) => c.getLastTradePrice(f.yes),
  getLastTradesPrices: (c, f) => c.getLastTradesPrices(both(f)),
  getPricesHistory: (c, f) => c.getPricesHistory({ market: f.yes, interval: "1d" }),
  calculateMarketPrice: (c, f) => c.calculateMarketPrice(f.yes, Side.BUY, 2),
  getCurrentRewards: (c) => c.getCurrentRewards(),
  getRawRewardsForMarket: (c, f) => c.getRawRewardsForMarket(f.condition),
  getMarketTradesEvents: (c, f) => c.getMarketTradesEvents(f.condition),
  getBuilderTrades: (c, f) => c.getBuilderTrades({ builder_code: f.builder }),
  createApiKey: (c) => c.createApiKey(7),
  deriveApiKey: (c) => c.deriveApiKey(7),
  // The client does not get from creating to deriving where it is to throw.
  createOrDeriveApiKey: () => new ClobClient(options).createOrDeriveApiKey(7),
  getApiKeys: async (c) => [(await c.getApiKeys()).apiKeys, creds.key],
  getClosedOnlyMode: (c) => c.getClosedOnlyMode(),
  getOrder: (c, f) => c.getOrder(f.resting),
  getOpenOrders: (c, f) => c.getOpenOrders({ market: f.condition }),
  getPreMigrationOrders: (c) => c.getPreMigrationOrders(),
  getTrades: (c, f) => c.getTrades({ market: f.condition }),
  getTradesPaginated: (c) => c.getTradesPaginated(),
  getNotifications: (c) => c.getNotifications(),
  dropNotifications: async (c) => {
    const before = await c.getNotifications();
    await c.dropNotifications({ ids: [String(before[0].id)] });
    return [before.map((one) => one.id), (await c.getNotifications()).map((one) => one.id)];
  },
  getBalanceAllowance: (c) => c.getBalanceAllowance({ asset_type: AssetType.COLLATERAL }),
  updateBalanceAllowance: (c) => c.updateBalanceAllowance({ asset_type: AssetType.COLLATERAL }),
  isOrderScoring: (c, f) => c.isOrderScoring({ order_id: f.resting }),
  areOrdersScoring: (c, f) => c.areOrdersScoring({ orderIds: [f.resting, f.filled] }),
  getEarningsForUserForDay: (c) => c.getEarningsForUserForDay(day),
  getTotalEarningsForUserForDay: (c) => c.getTotalEarningsForUserForDay(day),
  getUserEarningsAndMarketsConfig: (c) => c.getUserEarningsAndMarketsConfig(day),
  getRewardPercentages: (c) => c.getRewardPercentages(),
  createBuilderApiKey: (c) => c.createBuilderApiKey(),
  getBuilderApiKeys: (c) => c.getBuilderApiKeys(),
  revokeBuilderApiKey: async (c) => [await c.revokeBuilderApiKey(), await c.getBuilderApiKeys()],
  createReadonlyApiKey: (c) => c.createReadonlyApiKey(),
  getReadonlyApiKeys: (c) => c.getReadonlyApiKeys(),
  deleteReadonlyApiKey: async (c, _f, got) => [
    await c.deleteReadonlyApiKey(got.createReadonlyApiKey.value.apiKey),
    await c.getReadonlyApiKeys(),
  ],
  postHeartbeat: async (c) => {
    const first = await c.postHeartbeat();
    return [first, await c.postHeartbeat(first.heartbeat_id)];
  },
  createOrder: (c, f) => c.createOrder(buy(f, 0.3), tick),
  createMarketOrder: (c, f) =>
    c.createMarketOrder({ tokenID: f.yes, amount: 2, side: Side.BUY }, tick),
  createExchangeV3OrderFromAmounts: (c, f) =>
    c.createExchangeV3OrderFromAmounts({
      tokenID: f.position,
      makerAmount: "1000000",
      takerAmount: "5000000",
      side: Side.BUY,
    }),
  postOrder: async (c, f) => c.postOrder(await c.createOrder(buy(f, 0.31), tick), OrderType.GTC),
  postOrders: async (c, f) => {
    const orders = [0.31, 0.32].map((price) => c.createOrder(buy(f, price), tick));
    const signed = await Promise.all(orders);
    return c.postOrders(signed.map((order) => ({ order, orderType: OrderType.GTC })));
  },
  createAndPostOrder: (c, f) => c.createAndPostOrder(buy(f, 0.33), tick),
  createAndPostMarketOrder: (c, f) =>
    c.createAndPostMarketOrder({ tokenID: f.yes, amount: 4, side: Side.BUY }, tick),
  cancelOrder: async (c, f) => c.cancelOrder({ orderID: await place(c, f, 0.34) }),
  cancelOrders: async (c, f) => {
    const placed = [await place(c, f, 0.34), await place(c, f, 0.33)];
    return [placed, await c.cancelOrders(placed)];
  },
  cancelMarketOrders: async (c, f) => {
    const placed = await place(c, f, 0.34);
    return [placed, await c.cancelMarketOrders({ asset_id: f.yes })];
  },
  cancelAll: async (c, f) => {
    const placed = await place(c, f, 0.34);
    return [placed, await c.cancelAll()];
  },
  deleteApiKey: async (c) => [await c.deleteApiKey(), await c.getApiKeys().catch(String)],
};

// What the type declarations call private is no operation.
const declared = readFileSync(new URL("client.d.ts", import.meta.resolve("@polymarket/clob-client-v2")));
const hidden = new Set([...String(declared).matchAll(/private (\w+);/g)].map((one) => one[1]));
const operations = Object.getOwnPropertyNames(ClobClient.prototype).filter(
  (name) => name !== "constructor" && !hidden.has(name),
);
await report(operations, calls, client);
