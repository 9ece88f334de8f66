// The accounts, a row each.
import { openAccount, showState } from "./account.js";
import { get } from "./api.js";
import { byId, el, setText, toast } from "./dom.js";
import { amount, compact, linkState, rounded, short } from "./format.js";
import { Spark, meter, place, span } from "./plot.js";

const step = 100; // how many accounts are shown at once
const rows = new Map(); // by account
let known = {};
let shown = step;

export const accountsById = () => known;

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
  const state = linkState(a);
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
  showState(id, a);
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
