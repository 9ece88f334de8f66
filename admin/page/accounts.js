// The accounts: a row each, and a dialog with all that is known of one.
import { accountPath, get, send } from "./api.js";
import { byId, el, setText, toast } from "./dom.js";
import { amount, compact, parse, rounded, short } from "./format.js";
import { Spark, meter, place, span } from "./plot.js";

const step = 100; // how many accounts are shown at once
const rows = new Map(); // by account
let known = {};
let shown = step;
let mayOperate = false;

export const accountsById = () => known;

export function setRole(role) {
  mayOperate = role === "operate";
}

// load reads the accounts anew.
export async function load() {
  const answer = await get("accounts", { limit: shown });
  known = answer.accounts;
  setText(byId("address"), answer.address || "no address yet");
  document.title = (answer.address || "Connector") + " – connector";
  const ids = Object.keys(known).sort();
  for (const [id, row] of rows) {
    if (!known[id]) {
      row.element.remove();
      rows.delete(id);
    }
  }
  ids.forEach((id, i) => {
    if (!rows.has(id)) rows.set(id, makeRow(id));
    const { element } = rows.get(id);
    const body = byId("account-rows");
    if (body.children[i] !== element) body.insertBefore(element, body.children[i] ?? null);
    const a = known[id];
    show(id, { ...a.book, connected: a.connected, paused: a.paused, inFlight: a.inFlight, outstanding: a.outstanding });
  });
  setText(byId("accounts-note"), ids.length === 0 ? "none yet" : answer.next ? `the first ${ids.length}` : String(ids.length));
  byId("accounts-more").hidden = !answer.next;
}

byId("accounts-more").addEventListener("click", () => {
  shown += step;
  load().catch((fault) => toast(fault.message));
});

function makeRow(id) {
  const { info } = known[id];
  const row = { rates: [], last: null, spark: new Spark(), meter: meter() };
  row.link = el("span", { class: "link" }, (row.dot = el("span", { class: "dot" })), (row.state = el("span")));
  row.balance = el("span", { class: "amount" });
  row.flight = el("td", { class: "number flight-cell" });
  row.rate = el("td", { class: "number rate-cell" });
  row.element = el("tr", {},
    el("td", {}, el("div", { class: "name" },
      el("button", { type: "button", onclick: () => openAccount(id) }, id),
      el("small", {}, `${info.relation}, ${info.assetCode} at scale ${info.assetScale}`))),
    el("td", { class: "link-cell" }, row.link),
    el("td", { class: "number balance-cell" }, row.balance, " ", el("span", { class: "minor" }, info.assetCode)),
    el("td", { class: "meter-cell" }, row.meter.element),
    row.flight, row.rate,
    el("td", { class: "trend-cell" }, row.spark.element));
  return row;
}

// limitsOf gives the limits of a balance; null is none.
function limitsOf(info) {
  const bound = (text) => (text === undefined || text.endsWith("Infinity") ? null : BigInt(text));
  return { minimum: bound(info.balance?.minimum), maximum: bound(info.balance?.maximum) };
}

// show puts the figures of a moment into the row of an account.
function show(id, a) {
  const row = rows.get(id);
  const { info } = known[id];
  const state = a.paused ? "paused" : a.connected ? "up" : "down";
  row.dot.className = "dot " + state;
  setText(row.state, state);
  const scale = info.assetScale;
  const balance = BigInt(a.balance);
  setText(row.balance, rounded(balance, scale));
  row.balance.title = `${amount(balance, scale)} ${info.assetCode}`;
  row.balance.classList.toggle("owing", balance < 0n);
  setText(row.flight, `${a.inFlight} in, ${a.outstanding} out`);
  row.flight.classList.toggle("rests", a.inFlight + a.outstanding === 0);
  const limits = limitsOf(info);
  place(row.meter, { balance, reservedIn: BigInt(a.reservedIn), reservedOut: BigInt(a.reservedOut), ...limits });
  setText(row.meter.low, short(info.balance?.minimum ?? "-Infinity", scale));
  setText(row.meter.high, short(info.balance?.maximum ?? "Infinity", scale));
  const room = limits.maximum === null ? "no maximum" : "at most " + amount(limits.maximum, scale);
  const depth = limits.minimum === null ? "no minimum" : "at least " + amount(limits.minimum, scale);
  row.meter.svg.setAttribute("aria-label", `${amount(balance, scale)} ${info.assetCode}, ${depth}, ${room}`);
}

// take puts a snapshot into the rows.
export function take(snapshot) {
  let unknown = false;
  for (const [id, a] of Object.entries(snapshot.accounts)) {
    const row = rows.get(id);
    if (!row) {
      unknown = true;
      continue;
    }
    show(id, a);
    const packets = a.incoming.fulfilled + a.incoming.rejected + a.outgoing.fulfilled + a.outgoing.rejected;
    const time = new Date(snapshot.time).getTime();
    if (row.last && time > row.last.time) {
      row.rates.push(Math.max(0, packets - row.last.packets) / ((time - row.last.time) / 1000));
      if (row.rates.length > span + 1) row.rates.shift();
      row.spark.draw(row.rates);
      row.rate.replaceChildren(compact(row.rates.at(-1)), el("small", {}, " /s"));
    }
    row.last = { time, packets };
  }
  return unknown && Object.keys(known).length < shown;
}

// openAccount shows all that is known of an account.
async function openAccount(id) {
  const dialog = byId("account-dialog");
  byId("account-title").textContent = id;
  try {
    byId("account-body").replaceChildren(...describe(id, await get(accountPath(id))));
  } catch (fault) {
    toast(fault.message);
    return;
  }
  if (!dialog.open) dialog.showModal();
}

byId("account-dialog").querySelector(".close").addEventListener("click", () => byId("account-dialog").close());

const fact = (name, ...value) => el("div", {}, el("dt", {}, name), el("dd", {}, ...value));

function describe(id, detail) {
  const { state } = detail;
  const { info, book } = state;
  const money = (units) => amount(units, info.assetScale) + " " + info.assetCode;
  const limit = (text) => (text === undefined || text.endsWith("Infinity") ? "none" : money(text));
  const parts = [
    el("dl", { class: "facts" },
      fact("Balance", money(book.balance)), fact("Minimum", limit(info.balance?.minimum)), fact("Maximum", limit(info.balance?.maximum)),
      fact("Reserved in", money(book.reservedIn)), fact("Reserved out", money(book.reservedOut)), fact("Being settled", money(book.settling)),
      info.balance?.settleThreshold && fact("Settles below", money(info.balance.settleThreshold)),
      info.balance?.settleThreshold && fact("Settles to", money(info.balance.settleTo)),
      (book.inDoubtIn !== "0" || book.inDoubtOut !== "0") && fact("In doubt since a crash", `${money(book.inDoubtIn)} in, ${money(book.inDoubtOut)} out`)),
    el("h3", {}, "Link"),
    el("dl", { class: "facts" },
      fact("State", state.paused ? "paused" : state.connected ? "up" : "down"), fact("Plugin", detail.plugin), fact("Relation", info.relation),
      state.address && fact("Address", state.address), info.maxPacketAmount && fact("Largest packet", money(info.maxPacketAmount)),
      info.rateLimit && fact("Packets allowed", `${info.rateLimit.refillCount} in ${info.rateLimit.refillPeriod || 60000} ms`),
      state.malformed > 0 && fact("Malformed packets", state.malformed),
      detail.exchange?.receive && fact("Routes from it", detail.exchange.receive.routes),
      detail.exchange?.send && fact("Told our routes", detail.exchange.send.mode === "SYNC" ? `up to epoch ${detail.exchange.send.epoch}` : "not asked for")),
  ];
  if (detail.traffic) parts.push(el("h3", {}, "Since the process started"), totals(detail.traffic, money));
  if (detail.info) parts.push(el("h3", {}, "What its plugin says"), el("code", {}, JSON.stringify(detail.info)));
  if (mayOperate) parts.push(...operations(id, state));
  return parts;
}

function totals(traffic, money) {
  const row = (name, t) => el("tr", {}, el("td", {}, name),
    ...[t.incoming, t.outgoing].flatMap((d) => [el("td", { class: "number" }, String(d.count)), el("td", { class: "number" }, money(d.amount))]));
  const of = (pick) => ({ incoming: pick(traffic.incoming), outgoing: pick(traffic.outgoing) });
  const codes = [...new Set([...Object.keys(traffic.incoming.rejected), ...Object.keys(traffic.outgoing.rejected)])].sort();
  const none = { count: 0, amount: "0" };
  return el("div", { class: "scroll" }, el("table", { class: "totals" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, ""), ...["In", "Value in", "Out", "Value out"].map((t) => el("th", { scope: "col", class: "number" }, t)))),
    el("tbody", {}, row("Fulfilled", of((d) => d.fulfilled)),
      ...codes.map((code) => row("Rejected " + (code || "otherwise"), of((d) => d.rejected[code] ?? none))),
      (traffic.outgoing.late.count > 0) && row("Too late", of((d) => d.late)),
      row("Settlements", of((d) => d.money)))));
}

// operations are what can be done with an account.
function operations(id, state) {
  const { assetCode, assetScale } = state.info;
  const act = async (work, said) => {
    try {
      await work();
      toast(said);
      await load();
      if (known[id]) await openAccount(id);
      else byId("account-dialog").close();
    } catch (fault) {
      toast(fault.message);
    }
  };
  const form = (label, button, sign, work) => {
    const input = el("input", { name: "amount", inputmode: sign ? "text" : "decimal", autocomplete: "off", required: true, placeholder: sign ? "-2.50" : "2.50" });
    return el("form", { class: "row", onsubmit: (event) => {
      event.preventDefault();
      const units = parse(input.value, assetScale);
      if (units === null || (!sign && units <= 0n)) toast(`That is no amount of ${assetCode} with at most ${assetScale} digits behind the point.`);
      else work(units.toString());
    } }, el("label", { class: "grow" }, label, input), el("button", { type: "submit" }, button));
  };
  const pause = () => act(() => send("POST", accountPath(id) + (state.paused ? "/resume" : "/pause")), state.paused ? "Resumed." : "Paused: what is in flight runs to its end.");
  const remove = () => {
    if (confirm(`Remove ${id}? Packets in flight are waited for; the balance is kept.`)) act(() => send("DELETE", accountPath(id)), "Removed.");
  };
  return [
    el("h3", {}, "Operate"),
    form(`Settle, in ${assetCode}`, "Settle", false, (text) => act(() => send("POST", "settlements", { accountId: id, amount: text }), "The settlement is in the books.")),
    form(`Add to the balance, in ${assetCode}; less than nothing takes from it`, "Adjust", true, (text) => act(() => send("POST", "balance", { accountId: id, amountDiff: text }), "The balance is adjusted.")),
    el("div", { class: "actions" },
      el("button", { type: "button", class: "danger", onclick: remove }, "Remove"),
      el("button", { type: "button", onclick: pause }, state.paused ? "Resume" : "Pause")),
  ];
}

