"use strict";
// The page asks the API and listens to its stream. Every text goes in as text, never as markup.

const API = "/api/v1";
const KEY = "arb-token";
const SVG = "http://www.w3.org/2000/svg";
const MARKS = { healthy: "✓", degraded: "▲", unhealthy: "✕", paused: "❚❚", stopped: "■", halted: "■" };
const REFRESH_MS = 2000;
const LATEST = 20;
const KEPT = 50;

const $ = (id) => document.getElementById(id);
const state = { status: null, health: null, opportunities: [], quality: [], seq: 0, socket: null, wait: 1000, due: 0, timer: null, last: null };

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") node.className = value;
    else if (name === "onclick") node.addEventListener("click", value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined).map((child) => child instanceof Node ? child : String(child)));
  return node;
}

function s(tag, attributes, text) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
}

const put = (id, ...children) => $(id).replaceChildren(...children.filter((child) => child !== null && child !== undefined));
const empty = (text) => h("p", { class: "empty" }, text);
const words = (name) => String(name).replaceAll("_", " ");

function money(text, digits = 2) {
  const value = Number(text);
  if (text === null || text === undefined || !Number.isFinite(value)) return "–";
  const sign = value < 0 ? "−" : "";
  return sign + "$" + Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function clock(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? String(text) : at.toLocaleTimeString("en-GB");
}

class Denied extends Error {}

async function call(method, path, body) {
  const token = sessionStorage.getItem(KEY);
  if (!token) throw new Denied("no token");
  const options = { method, headers: { authorization: "Bearer " + token }, cache: "no-store" };
  if (body !== undefined) {
    options.headers["content-type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(API + path, options);
  const document_ = await answer.json().catch(() => ({}));
  if (answer.ok) return document_;
  const message = document_.error ? document_.error.message : "the API answered " + answer.status;
  if (answer.status === 401) throw new Denied(message);
  throw new Error(message);
}

const get = (path) => call("GET", path);

// ── Tables ───────────────────────────────────────────────────────────────────────────────────

function table(columns, rows, open) {
  const head = columns.map((column) => h("th", { class: column.num ? "num" : "", scope: "col" }, column.name));
  const body = rows.map((row) => {
    const cells = columns.map((column, place) => {
      const value = column.cell(row);
      const shown = open && place === 0 ? h("button", { type: "button", class: "link", onclick: (event) => { event.stopPropagation(); open(row); } }, value) : value;
      return h("td", { class: column.num ? "num" : "", "data-label": column.name }, shown);
    });
    return h("tr", { class: (open ? "open" : "") + (row.fresh ? " new" : ""), onclick: open ? () => open(row) : null, "data-id": row.id }, cells);
  });
  return h("div", { class: "scroll" }, h("table", {}, h("thead", {}, h("tr", {}, head)), h("tbody", {}, body)));
}

// Redrawing must not take the focus from who moves about with the keyboard, nor the row from under
// a finger that is on its way down: what is unchanged stays, and a pressed pointer is waited for.
function redraw(id, node) {
  const holder = $(id);
  if (holder.firstChild && holder.firstChild.isEqualNode(node)) return;
  if (state.pressed) { setTimeout(() => redraw(id, node), 150); return; }
  const row = holder.contains(document.activeElement) ? document.activeElement.closest("tr") : null;
  const top = holder.firstChild ? holder.firstChild.scrollTop : 0;
  holder.replaceChildren(node);
  node.scrollTop = top;
  if (row) {
    const again = [...holder.querySelectorAll("tr")].find((one) => one.dataset.id === row.dataset.id);
    if (again && again.querySelector("button")) again.querySelector("button").focus({ preventScroll: true });
  }
}

function verdict(decision, reason) {
  if (decision === "approved") return h("span", { class: "verdict yes" }, "✓ approved");
  return h("span", { class: "verdict no" }, "– " + words(reason || decision));
}

const PLAN_MARKS = { open: ["…", ""], done: ["✓", "yes"], unwound: ["✕", "bad"] };
function planState(value) {
  const [mark, kind] = PLAN_MARKS[value] || ["", ""];
  return h("span", { class: "verdict " + kind }, mark + " " + value);
}

function percent(row) {
  const paid = Number(row.cost) + Number(row.fees);
  return paid > 0 ? (100 * Number(row.profit) / paid).toFixed(2) + " %" : "–";
}

function drawOpportunities() {
  const rows = state.opportunities.slice(0, KEPT);
  redraw("opportunities", rows.length ? table([
    { name: "Event", cell: (r) => r.title || r.event },
    { name: "Kind", cell: (r) => words(r.kind) },
    { name: "Cycle", num: true, cell: (r) => r.cycle },
    { name: "Size", num: true, cell: (r) => r.size ?? "–" },
    { name: "Paid", num: true, cell: (r) => money(Number(r.cost) + Number(r.fees)) },
    { name: "Profit", num: true, cell: (r) => money(r.profit) },
    { name: "Of paid", num: true, cell: percent },
    { name: "Exit", cell: (r) => r.exit || "–" },
    { name: "Decision", cell: (r) => verdict(r.decision, r.reason) },
  ], rows, (row) => certificate(row.id)) : empty("None yet. Real edges after fees are rare; the funnel shows how far candidates come."));
  for (const row of rows) row.fresh = false;
}

function drawPlans(rows) {
  redraw("plans", rows.length ? table([
    { name: "Event", cell: (r) => r.event },
    { name: "State", cell: (r) => planState(r.state) },
    { name: "Paid", num: true, cell: (r) => money(r.outlay) },
    { name: "Realised", num: true, cell: (r) => r.state === "open" ? "–" : money(r.realised) },
    { name: "Bound", num: true, cell: (r) => money(r.locked) },
    { name: "Begun", cell: (r) => clock(r.approved_at) },
  ], rows, (row) => planDetail(row.id)) : empty("No plan yet."));
}

function drawPositions(rows) {
  redraw("positions", rows.length ? table([
    { name: "Market", cell: (r) => r.market.slice(0, 14) + "…" },
    { name: "Token", cell: (r) => r.token.slice(0, 10) + "…" },
    { name: "Shares", num: true, cell: (r) => r.shares },
  ], rows.map((row) => ({ ...row, id: row.token }))) : empty("Nothing is held."));
}

function drawAlerts(rows) {
  put("alerts", rows.length ? h("ul", { class: "list" }, rows.map((row) => h("li", {},
    h("time", { datetime: row.at }, clock(row.at)), h("span", { class: "level " + row.level }, row.level.toUpperCase()), row.what + ": " + row.about))) : empty("No alert since the start."));
}

function drawQuality() {
  const rows = state.quality;
  put("quality", rows.length ? h("ul", { class: "list" }, rows.map((row) => h("li", {}, h("strong", {}, words(row.problem)), " " + row.market + ": " + row.detail))) : empty("The venue's data has not contradicted itself."));
}

function drawBots(rows) {
  $("bots-card").hidden = !rows.length;
  put("bots", table([
    { name: "Bot", cell: (r) => r.name },
    { name: "State", cell: (r) => r.status },
    { name: "Found", num: true, cell: (r) => r.opportunities_found ?? "–" },
    { name: "Profit", num: true, cell: (r) => money(r.total_profit) },
    { name: "Error", cell: (r) => r.error_message || "" },
  ], rows.map((row) => ({ ...row, id: row.bot_id }))));
}

// ── Figures ──────────────────────────────────────────────────────────────────────────────────

function drawTiles(held) {
  const sums = held.statistics || {};
  const tiles = [
    ["Equity", money(held.equity)], ["Free cash", money(held.free)],
    ["Promised to plans", money(held.promised)], ["Bound until resolution", money(held.locked)],
    ["Profit, realised", money(sums.total_profit)], ["Loss today", money(held.loss_today)],
    ["Volume today", money(held.volume_today)], ["Open plans", held.open_plans],
    ["Trades, filled of all", sums.trades === undefined ? "–" : sums.successes + " of " + sums.trades],
  ];
  put("tiles", ...tiles.map(([name, figure]) => h("div", { class: "tile" }, h("div", { class: "name" }, name), h("div", { class: "figure" }, figure))));
}

function bars(rows, show) {
  const most = Math.max(...rows.map(([, value]) => Math.abs(value)), 1e-9);
  return h("ul", { class: "bars" }, rows.map(([name, value]) => {
    const drawing = s("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" });
    drawing.append(s("rect", { class: "track", width: 100, height: 8 }), s("rect", { class: value < 0 ? "bar minus" : "bar", width: 100 * Math.abs(value) / most, height: 8 }));
    return h("li", {}, h("div", { class: "label" }, h("span", {}, words(name)), h("span", {}, show(value))), drawing);
  }));
}

function drawProfit(rows) {
  const ended = rows.filter((row) => row.state !== "open");
  const kinds = new Map();
  for (const row of ended) kinds.set(row.kind, (kinds.get(row.kind) || 0) + Number(row.realised));
  put("kinds", kinds.size ? bars([...kinds].sort((a, b) => b[1] - a[1]), (value) => money(value)) : empty("No plan has ended yet."));
  if (ended.length < 2) { put("profit", empty("Two ended plans make a line.")); return; }
  const wide = Math.max(240, Math.min(900, $("profit").clientWidth || 640));  // as drawn, so that words keep their size
  const [high, left, bottom, top] = [wide < 400 ? 170 : 220, 64, 24, 12];
  const stamp = (at) => wide < 400 ? clock(at) : new Date(at).toLocaleString("en-GB");
  let sum = 0;
  const points = ended.map((row) => [new Date(row.at).getTime(), sum += Number(row.realised)]);
  const [first, last] = [points[0][0], points[points.length - 1][0]];
  const low = Math.min(0, ...points.map((p) => p[1])), peak = Math.max(0, ...points.map((p) => p[1]), low + 0.01);
  const x = (at) => left + (wide - left - 8) * (last > first ? (at - first) / (last - first) : 1);
  const y = (value) => top + (high - top - bottom) * (1 - (value - low) / (peak - low));
  let path = `M${x(first).toFixed(1)},${y(0).toFixed(1)}`;
  for (const [at, value] of points) path += ` H${x(at).toFixed(1)} V${y(value).toFixed(1)}`;
  const drawing = s("svg", { viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `Realised profit of the last ${ended.length} ended plans: ${money(sum)}, between ${money(low)} and ${money(peak)}` });
  for (const value of [low, (low + peak) / 2, peak]) {
    drawing.append(s("line", { class: "axis", x1: left, x2: wide - 8, y1: y(value), y2: y(value) }), s("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, money(value)));
  }
  if (low < 0) drawing.append(s("line", { class: "zero", x1: left, x2: wide - 8, y1: y(0), y2: y(0) }));
  drawing.append(s("path", { class: "area", d: path + ` V${y(Math.max(low, 0)).toFixed(1)} H${x(first).toFixed(1)} Z` }), s("path", { class: "line", d: path }));
  drawing.append(s("text", { x: left, y: high - 6 }, stamp(first)), s("text", { x: wide - 8, y: high - 6, "text-anchor": "end" }, stamp(last)));
  put("profit", drawing);
}

function drawCycles(rows) {
  const counts = new Map();
  for (const row of rows) for (const [reason, count] of row.summary.reasons || []) counts.set(reason, (counts.get(reason) || 0) + count);
  put("reasons", counts.size ? bars([...counts].sort((a, b) => b[1] - a[1]).slice(0, 12), String) : empty("No candidate in the last cycles."));
  const funnel = rows.length ? rows[0].summary.funnel : null;
  put("funnel", funnel ? bars(Object.entries(funnel), String) : empty("No cycle has ended yet."));
}

// ── State ────────────────────────────────────────────────────────────────────────────────────

function drawState() {
  const status = state.status, health = state.health;
  if (!status || !health) return;
  const halted = status.paused && !status.reason.startsWith("paused") && health.status !== "stopped";
  const word = halted ? "halted" : health.status;
  const pill = $("health");
  pill.className = "pill is-" + word;
  pill.querySelector(".mark").textContent = MARKS[word] || "?";
  if (pill.querySelector(".word").textContent !== word) pill.querySelector(".word").textContent = word;
  $("why").textContent = health.reasons.length ? health.reasons.join("; ") : status.state === "throttled" ? "throttled: " + status.reason : "";
  $("mode").textContent = status.paper_trading ? "paper" : "LIVE";
  $("pause").disabled = status.paused || !status.running;
  $("resume").disabled = !status.paused;
  $("halt").disabled = status.paused && halted;
  $("looking").textContent = "Strategies: " + (status.strategies.map((one) => words(one.name)).join(", ") || "none") + " · account " + status.account;
  document.title = word + " · arb";
}

function drawStream(text) {
  const cycle = state.last ? " · cycle " + state.last.cycle + " took " + state.last.duration_ms + " ms" : "";
  $("stream").textContent = text + cycle;
}

async function refreshState() {
  [state.status, state.health] = await Promise.all([get("/bot/status"), get("/bot/health")]);
  drawState();
}

async function refresh() {
  const [held, plans, positions, profit, cycles, alerts, bots] = await Promise.all([
    get("/portfolio"), get("/plans?limit=20"), get("/portfolio/positions"), get("/portfolio/profit?limit=1000"),
    get("/cycles?limit=50"), get("/alerts?limit=50"), get("/arbitrage/bots"), refreshState(),
  ]);
  drawTiles(held); drawPlans(plans); drawPositions(positions); drawProfit(profit); drawCycles(cycles); drawAlerts(alerts); drawBots(bots);
}

function refreshSoon() {
  if (state.timer) return;
  const wait = Math.max(0, state.due - Date.now());
  state.timer = setTimeout(async () => {
    state.timer = null;
    state.due = Date.now() + REFRESH_MS;
    try { await refresh(); } catch (error) { failed(error); }
  }, wait);
}

function failed(error) {
  if (error instanceof Denied) { signIn(sessionStorage.getItem(KEY) ? "This token is not accepted." : ""); return; }
  drawStream("Not connected: " + error.message);
}

// ── The stream ───────────────────────────────────────────────────────────────────────────────

async function connect() {
  if (state.socket) { state.socket.onclose = null; state.socket.close(); state.socket = null; }
  let ticket;
  try { ticket = (await call("POST", "/stream/ticket")).ticket; } catch (error) { failed(error); if (!(error instanceof Denied)) again(); return; }
  const scheme = location.protocol === "https:" ? "wss://" : "ws://";
  const socket = new WebSocket(scheme + location.host + "/ws/arbitrage", ["arb.v1", "ticket." + ticket]);
  state.socket = socket;
  socket.onmessage = (event) => hear(JSON.parse(event.data));
  socket.onclose = () => { drawStream("Not connected; trying again"); $("health").className = "pill"; $("health").querySelector(".word").textContent = "no connection"; $("health").querySelector(".mark").textContent = "?"; again(); };
}

function again() {
  setTimeout(connect, state.wait);
  state.wait = Math.min(state.wait * 2, 30000);
}

function hear(message) {
  if (message.type === "snapshot") {
    state.seq = message.seq; state.wait = 1000;
    state.status = message.data.status; state.health = message.data.health;
    state.opportunities = message.data.opportunities;
    drawStream("Live"); drawState(); drawOpportunities(); drawQuality(); refreshSoon();
    return;
  }
  if (message.seq !== state.seq + 1) { connect(); return; }
  state.seq = message.seq;
  const data = message.data;
  if (message.type === "opportunity") {
    state.opportunities = [{ ...data, fresh: true }, ...state.opportunities.filter((one) => one.id !== data.id)].slice(0, 2 * KEPT);
    if (!state.drawing) state.drawing = requestAnimationFrame(() => { state.drawing = null; drawOpportunities(); });
  } else if (message.type === "data_quality") {
    state.quality = [data, ...state.quality].slice(0, LATEST); drawQuality();
  } else if (message.type === "cycle_ended") {
    state.last = data; drawStream("Live"); refreshSoon();
  } else if (["plan_started", "plan_ended", "trouble"].includes(message.type)) refreshSoon();
  else if (message.type === "state") refreshState().catch(failed);
}

// ── Dialogs ──────────────────────────────────────────────────────────────────────────────────

function signIn(message) {
  $("sign-in-error").textContent = message;
  if (!$("sign-in").open) $("sign-in").showModal();
  $("token").focus();
}

function facts(pairs) {
  return h("dl", { class: "facts" }, pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

const levels = (rows) => rows.length ? rows.map(([price, size]) => size + " @ " + price).join(", ") : "–";

function legTable(legs) {
  return table([
    { name: "Market", cell: (r) => r.market || "–" },
    { name: "Buys", cell: (r) => r.outcome || "–" },
    { name: "Limit", num: true, cell: (r) => r.limit },
    { name: "Size", num: true, cell: (r) => r.size },
    { name: "Cost", num: true, cell: (r) => money(r.cost) },
    { name: "Fee", num: true, cell: (r) => money(r.fee, 4) },
    ...(legs.some((leg) => leg.fills) ? [{ name: "Takes", cell: (r) => levels(r.fills || []) }] : []),
  ], legs);
}

function factTable(rows) {
  return rows.length ? [h("h3", {}, "What happened"), table([
    { name: "At", cell: (r) => clock(r[0]) }, { name: "Fact", cell: (r) => r[1] }, { name: "About", cell: (r) => r[2] },
  ], rows)] : [];
}

function showDetail(title, ...children) {
  $("detail-title").textContent = title;
  put("detail-body", ...children.flat());
  if (!$("detail").open) $("detail").showModal();
  $("detail").scrollTop = 0;
}

async function certificate(id) {
  let found;
  try { found = await get("/arbitrage/opportunities/" + encodeURIComponent(id)); } catch (error) { showDetail("Opportunity " + id, empty(error.message + " (it is written down when the cycle's findings are)")); return; }
  const worst = Object.entries(found.worst_world || {});
  showDetail(found.title || found.event,
    facts([["Decision", verdict(found.decision, found.reason)], ["Kind", words(found.kind)], ["Profit in the worst world", money(found.profit)],
      ["Pays at least", money(found.payoff_worst)], ["Cost and fees", money(found.cost) + " + " + money(found.fees)], ["Cash is free", found.exit === "now" ? "at once" : "at resolution"],
      ["Seen", clock(found.at) + ", cycle " + found.cycle], ["Id", found.id]]),
    h("p", { class: "empty" }, found.meaning + (found.detail ? ": " + found.detail : "")),
    h("h3", {}, "Legs"), legTable(found.legs || []),
    h("h3", {}, "The worst world"), worst.length ? table([{ name: "Market", cell: (r) => r[0] }, { name: "Resolves to", cell: (r) => words(r[1]) }], worst) : empty("Not proved, so none was worked out."),
    h("h3", {}, "Books at the time, best first"), table([
      { name: "Market", cell: (r) => r.market }, { name: "Outcome", cell: (r) => r.outcome },
      { name: "Bids", cell: (r) => levels(r.bids) }, { name: "Asks", cell: (r) => levels(r.asks) }], found.books || []),
    h("h3", {}, "Gates"), table([
      { name: "Passed", cell: (r) => h("span", { class: "verdict " + (r.passed ? "yes" : "bad") }, r.passed ? "✓ yes" : "✕ no") },
      { name: "Gate", cell: (r) => words(r.gate) }, { name: "Detail", cell: (r) => r.detail }], found.verdicts || []),
    factTable(found.facts || []));
}

async function planDetail(id) {
  let found;
  try { found = await get("/plans/" + encodeURIComponent(id)); } catch (error) { showDetail("Plan " + id, empty(error.message)); return; }
  showDetail("Plan: " + (found.title || found.event),
    facts([["State", planState(found.state)], ["Kind", words(found.kind)], ["Paid", money(found.outlay)], ["Pays at least", money(found.payoff_worst)],
      ["Realised", money(found.realised)], ["Bound", money(found.locked)], ["Begun", clock(found.approved_at)], ["Ended", found.ended_at ? clock(found.ended_at) : "not yet"], ["Id", found.id]]),
    found.reason ? h("p", {}, found.reason) : null, found.alarm ? h("p", { class: "error" }, "Look at: " + found.alarm) : null,
    h("h3", {}, "Legs"), legTable(found.legs), factTable(found.facts));
}

const COMMANDS = {
  pause: ["Pause trading?", "No new plan is started; plans at work come to their end, scanning goes on.", "Pause"],
  resume: ["Resume trading?", "New plans may start from the next cycle on; earlier failures are not held against it.", "Resume"],
  halt: ["Halt at once?", "Nothing more is sent, resting orders are taken back. Plans at work wait as they are until you resume.", "Halt now"],
};

function ask(name) {
  const [title, text, yes] = COMMANDS[name];
  $("confirm-title").textContent = title;
  $("confirm-text").textContent = text;
  $("confirm-yes").textContent = yes;
  $("confirm-yes").className = name === "halt" ? "primary danger" : "primary";
  $("confirm-error").textContent = "";
  $("reason").value = "";
  $("confirm-form").dataset.command = name;
  $("confirm").showModal();
  $("reason").focus();
}

$("confirm-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  $("confirm-yes").disabled = true;
  try {
    const done = await call("POST", "/bot/" + event.target.dataset.command, { reason: $("reason").value.trim() });
    state.status = done.status;
    $("confirm").close();
    await refreshState();
    refreshSoon();
  } catch (error) {
    $("confirm-error").textContent = error.message;
  } finally { $("confirm-yes").disabled = false; }
});
$("confirm-no").addEventListener("click", () => $("confirm").close());
for (const name of Object.keys(COMMANDS)) $(name).addEventListener("click", () => ask(name));
addEventListener("pointerdown", () => { state.pressed = true; });
for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(() => { state.pressed = false; }, 50));
$("detail-close").addEventListener("click", () => $("detail").close());
$("sign-in").addEventListener("cancel", (event) => event.preventDefault());
$("sign-in-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, $("token").value.trim());
  try {
    await refreshState();
  } catch (error) { $("sign-in-error").textContent = error instanceof Denied ? "This token is not accepted." : error.message; return; }
  $("token").value = "";
  $("sign-in").close();
  begin();
});
$("leave").addEventListener("click", () => { sessionStorage.removeItem(KEY); location.reload(); });

function begin() {
  $("leave").hidden = false;
  connect();
  setInterval(() => refreshState().catch(failed), 15000);
}

if (sessionStorage.getItem(KEY)) begin();
else signIn("");
