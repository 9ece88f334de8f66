// The packet log: what has become of the last packets, as they are answered.
import { accountsById } from "./accounts.js";
import { Refused, get, watch } from "./api.js";
import { byId, el, setText } from "./dom.js";
import { clock, milliseconds, rounded } from "./format.js";

const most = 100; // rows
const form = byId("packet-form");
const body = byId("packet-rows");
let rows = []; // the last received first; turn is that which has brought it
let turn; // aborts what is followed now; null while nothing is
let kept = false; // there is a log
let paused = false;
let lost = 0;

// follow begins to follow the log, if there is one.
export function follow(isKept) {
  kept = isKept;
  byId("packets").hidden = byId("packets-link").hidden = !kept;
  restart();
}

function filter() {
  const { account, prefix, outcome } = Object.fromEntries(new FormData(form));
  return { account: account.trim(), prefix: prefix.trim().replace(/\.$/, ""), outcome };
}

// restart follows the log anew, with the filter of now. Nobody looks at a tab
// that is hidden: it holds no stream.
function restart() {
  turn?.abort();
  turn = null;
  if (!kept || paused || document.hidden) return;
  if (!form.checkValidity()) {
    say("An address has letters, digits, _ ~ - and dots.", true);
    return;
  }
  turn = new AbortController();
  run(turn);
}

async function run(mine) {
  const { signal } = mine;
  for (let wait = 1000; !signal.aborted; wait = Math.min(2 * wait, 15000)) {
    let begun = false;
    try {
      await watch("packets/live", { ...filter(), interval: "500ms" }, (event) => {
        if (signal.aborted) return;
        if (!begun) load(mine).catch((fault) => signal.aborted || say(fault.message, true));
        begun = true;
        take(event, mine);
      }, signal);
    } catch (fault) {
      if (signal.aborted || fault instanceof Refused) return;
      say(fault instanceof TypeError ? "not reached, trying again" : fault.message, true);
    }
    if (begun) wait = 1000;
    await new Promise((go) => setTimeout(go, wait));
  }
}

// load shows what came before the stream began, in the place of what was shown
// before.
async function load(mine) {
  lost = 0;
  const { packets } = await get("packets", { ...filter(), limit: most });
  if (mine.signal.aborted) return;
  rows.filter((row) => row.turn !== mine).forEach((row) => row.element.remove());
  rows = rows.filter((row) => row.turn === mine);
  packets.forEach((p) => insert(p, mine));
  describe();
}

// take shows what was answered since the event before.
function take(event, mine) {
  lost += event.lost;
  event.packets.slice(-most).forEach((p) => insert(p, mine));
  if (event.packets.length > 0) describe();
}

// insert puts a packet where it belongs: one that took long to be answered
// comes after others that were received later. What is there already is what
// the stream and the log both have.
function insert(p, mine) {
  const time = Date.parse(p.received);
  const key = [p.received, p.account, p.amount, p.latencyMicroseconds, p.destination ?? p.destinationHash].join(" ");
  let at = 0;
  while (at < rows.length && rows[at].time > time) at++;
  for (let i = at; i < rows.length && rows[i].time === time; i++) if (rows[i].key === key && rows[i].turn === mine) return;
  if (at === most) return;
  const element = makeRow(p);
  body.insertBefore(element, rows[at]?.element ?? null);
  rows.splice(at, 0, { key, time, turn: mine, element });
  if (rows.length > most) rows.pop().element.remove();
}

// say tells how it stands.
function say(text, isFault = false) {
  setText(byId("packet-note"), text);
  byId("packet-note").classList.toggle("fault", isFault);
}

function describe() {
  byId("packet-empty").hidden = rows.length > 0;
  setText(byId("packet-empty"), Object.values(filter()).some(Boolean) ? "No packet is like this." : "No packets yet.");
  if (paused) say("paused");
  else say(lost === 0 ? "live" : `live; ${lost} came too fast to be shown`);
}

const dots = { fulfilled: "up", answered: "up" };

function makeRow(p) {
  let destination = p.destination ?? "#" + p.destinationHash;
  if (p.destinationLength) destination += "…";
  return el("tr", {},
    el("td", { class: "time-cell", title: p.received }, clock(p.received)),
    el("td", { class: "from-cell", title: p.account }, p.account),
    el("td", { class: "number in-cell" }, money(p.account, p.amount)),
    el("td", { class: "to-cell", title: p.nextHop }, el("span", { class: "minor", "aria-hidden": "true" }, "→ "), p.nextHop ?? el("span", { class: "minor" }, "nobody")),
    el("td", { class: "number out-cell" }, p.nextHop ? money(p.nextHop, p.nextHopAmount) : ""),
    el("td", { class: "mono destination-cell", title: destination }, destination),
    el("td", { class: "outcome-cell" }, el("span", { class: "link" }, el("span", { class: "dot " + (dots[p.outcome] ?? "warm") }), p.outcome, " ", p.code && el("span", { class: "minor" }, p.code))),
    el("td", { class: "number latency-cell" }, milliseconds(p.latencyMicroseconds)));
}

// money gives an amount as people read it: in units, if the account is not
// known.
function money(id, units) {
  const info = accountsById()[id]?.info;
  if (!info) return [units, " ", el("span", { class: "minor" }, "units")];
  return [el("span", { title: `${units} at scale ${info.assetScale}` }, rounded(units, info.assetScale)), " ", el("span", { class: "minor" }, info.assetCode)];
}

let waiting;

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    setPaused(false);
    restart();
  }, 250);
});
form.elements.account.addEventListener("focus", () => {
  byId("packet-accounts").replaceChildren(...Object.keys(accountsById()).sort().map((id) => el("option", { value: id })));
});

function setPaused(is) {
  paused = is;
  setText(byId("packet-pause"), paused ? "Resume" : "Pause");
}
byId("packet-pause").addEventListener("click", () => {
  setPaused(!paused);
  restart();
  if (paused) say("paused");
});
document.addEventListener("visibilitychange", restart);
