// Every operation of @polymarket/client that is to be answered, called once.

import WebSocket from "ws";

// The client counts on a newer Node, in which this is there.
globalThis.WebSocket ??= WebSocket;
const {
  OrderSide,
  OrderType,
  allActions,
  createPublicClient,
  createSecureClient,
  forkEnvironmentConfig,
} = await import("@polymarket/client");
const { privateKey } = await import("@polymarket/client/viem");
const { http } = await import("viem");
const { polygon } = await import("viem/chains");
const { facts, items, report } = await import("./report.mjs");

const rest = facts.address;
const ws = rest.replace("http", "ws");
const environment = forkEnvironmentConfig({
  name: "embedded",
  rpc: `${rest}/rpc`,
  clob: { rest, market: { ws: `${ws}/ws/market` }, user: { ws: `${ws}/ws/user` } },
  gamma: { rest },
  data: { rest },
  relayer: { rest },
  combos: { rest, ws: `${ws}/ws/none`, collateralReturn: { rest } },
  perps: { rest, ws: `${ws}/ws/none` },
  rtds: { ws: `${ws}/ws/none` },
  sports: { ws: `${ws}/ws/none` },
  relayerPollFrequencyMs: 20,
});
const signer = privateKey(facts.key, { chain: polygon, transport: http(`${rest}/rpc`) });
const reader = createPublicClient({ environment });
const client =
  process.argv[3] === "public"
    ? reader
    : await createSecureClient({ environment, signer, wallet: facts.wallet });

const tokens = (f) => [{ tokenId: f.yes }, { tokenId: f.no }];
const limit = (f, price) => ({ tokenId: f.yes, price, size: 5, side: OrderSide.BUY });
const place = async (c, f, price) => (await c.placeLimitOrder(limit(f, price))).orderId;
const day = "2026-11-01";
const ended = async (handle) => (await handle).wait();

const open = {
  listEvents: async (c) => (await items(c.listEvents())).map((one) => one.id),
  fetchEvent: (c, f) => c.fetchEvent({ slug: f.event.slug }),
  fetchEventTags: (c, f) => c.fetchEventTags({ id: f.event.id }),
  listMarkets: async (c) => (await items(c.listMarkets({ closed: false }))).map((one) => one.id),
  fetchMarket: (c, f) => c.fetchMarket({ slug: f.slug }),
  fetchMarketTags: (c, f) => c.fetchMarketTags({ id: f.id }),
  listSeries: (c) => items(c.listSeries()),
  fetchSeries: (c) => c.fetchSeries({ id: "1" }),
  listTags: (c) => items(c.listTags()),
  fetchTag: (c) => c.fetchTag({ slug: "exclusive" }),
  fetchRelatedTags: (c) => c.fetchRelatedTags({ slug: "exclusive" }),
  fetchRelatedTagResources: (c) => c.fetchRelatedTagResources({ slug: "exclusive" }),
  search: async (c) => (await c.search({ q: "plain 12" }).firstPage()).items,
  listSports: (c) => c.listSports(),
  fetchSportsMarketTypes: (c) => c.fetchSportsMarketTypes(),
  listTeams: (c) => items(c.listTeams()),
  fetchPublicProfile: (c, f) => c.fetchPublicProfile({ address: f.wallet }),
  listComments: (c, f) => items(c.listComments({ parentEntityId: f.event.id, parentEntityType: "Event" })),
  fetchCommentsById: (c) => c.fetchCommentsById({ id: "1" }),
  listCommentsByUserAddress: (c, f) => items(c.listCommentsByUserAddress({ address: f.wallet })),
  listMarketClarifications: (c, f) => items(c.listMarketClarifications({ marketIds: [f.id] })),
  fetchMidpoint: (c, f) => c.fetchMidpoint({ tokenId: f.yes }),
  fetchMidpoints: (c, f) => c.fetchMidpoints(tokens(f)),
  fetchPrice: async (c, f) => [
    await c.fetchPrice({ tokenId: f.yes, side: OrderSide.BUY }),
    await c.fetchPrice({ tokenId: f.yes, side: OrderSide.SELL }),
  ],
  fetchPrices: (c, f) => c.fetchPrices([{ tokenId: f.yes, side: OrderSide.BUY }]),
  fetchOrderBook: (c, f) => c.fetchOrderBook({ tokenId: f.yes }),
  fetchOrderBooks: (c, f) => c.fetchOrderBooks(tokens(f)),
  fetchSpread: (c, f) => c.fetchSpread({ tokenId: f.yes }),
  fetchSpreads: (c, f) => c.fetchSpreads(tokens(f)),
  fetchLastTradePrice: (c, f) => c.fetchLastTradePrice({ tokenId: f.yes }),
  fetchLastTradePrices: (c, f) => c.fetchLastTradePrices(tokens(f)),
  fetchPriceHistory: (c, f) => c.fetchPriceHistory({ tokenId: f.yes, interval: "1d" }),
  estimateMarketPrice: (c, f) => c.estimateMarketPrice({ tokenId: f.yes, side: OrderSide.BUY, amount: 2 }),
  listBuilderTrades: (c, f) => items(c.listBuilderTrades({ builderCode: f.builder })),
  listCurrentRewards: (c) => items(c.listCurrentRewards()),
  listMarketRewards: (c, f) => items(c.listMarketRewards({ conditionId: f.condition })),
  subscribe: async (c, f) => {
    const stream = await c.subscribe([{ topic: "market", tokenIds: [f.yes] }]);
    for await (const event of stream) {
      await stream.close();
      return event;
    }
    return null;
  },
};

const secure = {
  fetchOrder: (c, f) => c.fetchOrder({ orderId: f.resting }),
  listOpenOrders: (c, f) => items(c.listOpenOrders({ market: f.condition })),
  listAccountTrades: (c, f) => items(c.listAccountTrades({ market: f.condition })),
  fetchClosedOnlyMode: (c) => c.fetchClosedOnlyMode(),
  fetchNotifications: (c) => c.fetchNotifications(),
  dropNotifications: async (c) => {
    const before = await c.fetchNotifications();
    await c.dropNotifications({ ids: [String(before[0].id)] });
    return [before.map((one) => one.id), (await c.fetchNotifications()).map((one) => one.id)];
  },
  fetchOrderScoring: (c, f) => c.fetchOrderScoring({ orderId: f.resting }),
  fetchOrdersScoring: (c, f) => c.fetchOrdersScoring({ orderIds: [f.resting, f.filled] }),
  listUserEarningsForDay: (c) => items(c.listUserEarningsForDay({ date: day })),
  fetchTotalEarningsForUserForDay: (c) => c.fetchTotalEarningsForUserForDay({ date: day }),
  listUserEarningsAndMarketsConfig: (c) => items(c.listUserEarningsAndMarketsConfig({ date: day })),
  fetchRewardPercentages: (c) => c.fetchRewardPercentages(),
  createLimitOrder: (c, f) => c.createLimitOrder(limit(f, 0.3)),
  createMarketOrder: (c, f) => c.createMarketOrder({ tokenId: f.yes, side: OrderSide.BUY, amount: 2, orderType: OrderType.FOK }),
  placeLimitOrder: (c, f) => c.placeLimitOrder(limit(f, 0.33)),
  postOrder: async (c, f) => c.postOrder(await c.createLimitOrder(limit(f, 0.31))),
  postOrders: async (c, f) => c.postOrders([await c.createLimitOrder(limit(f, 0.31)), await c.createLimitOrder(limit(f, 0.32))]),
  placeMarketOrder: (c, f) => c.placeMarketOrder({ tokenId: f.yes, side: OrderSide.BUY, amount: 4 }),
  waitForOrderFillSettlement: async (c, f) =>
    c.waitForOrderFillSettlement(await c.placeMarketOrder({ tokenId: f.yes, side: OrderSide.BUY, amount: 4 })),
  cancelOrder: async (c, f) => c.cancelOrder({ orderId: await place(c, f, 0.34) }),
  cancelOrders: async (c, f) => {
    const placed = [await place(c, f, 0.34), await place(c, f, 0.33)];
    return [placed, await c.cancelOrders({ orderIds: placed })];
  },
  cancelMarketOrders: async (c, f) => {
    const placed = await place(c, f, 0.34);
    return [placed, await c.cancelMarketOrders({ tokenId: f.yes })];
  },
  cancelAll: async (c, f) => {
    const placed = await place(c, f, 0.34);
    return [placed, await c.cancelAll()];
  },
  approveErc20: (c, f) => ended(c.approveErc20({ tokenAddress: f.collateral, spenderAddress: f.exchange, amount: 7n })),
  setupTradingApprovals: (c) => c.setupTradingApprovals(),
  splitPosition: (c, f) => ended(c.splitPosition({ conditionId: f.condition, amount: 6_000_000n })),
  mergePositions: (c, f) => ended(c.mergePositions({ conditionId: f.condition, amount: 2_000_000n })),
  redeemPositions: (c, f) => ended(c.redeemPositions({ conditionId: f.ended })),
  transferErc20: (c, f) => ended(c.transferErc20({ tokenAddress: f.collateral, recipientAddress: f.other, amount: 3_000_000n })),
  approveErc1155ForAll: (c, f) => ended(c.approveErc1155ForAll({ tokenAddress: f.tokens, operatorAddress: f.exchange, approved: false })),
};

const calls = process.argv[3] === "public" ? open : { ...open, ...secure };
await report(Object.keys(allActions(client)), calls, client);
process.exit(0);
