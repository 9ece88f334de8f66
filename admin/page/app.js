// The page: it asks for a token where one is needed, follows what moves, and
// looks at the rest now and then.
import { setRole } from "./account.js";
import * as accounts from "./accounts.js";
import { offerAccounts } from "./add.js";
import { Refused, get, hasToken, useToken, watch } from "./api.js";
import { byId, el, setText } from "./dom.js";
import { loadAlerts, loadSettlements } from "./events.js";
import { compact } from "./format.js";
import * as packetLog from "./packets.js";
import { Plot, span } from "./plot.js";
import * as rates from "./rates.js";
import * as routes from "./routes.js";
import { offerRoutes } from "./staticroutes.js";
import "./probe.js";
import "./theme.js";

const packets = new Plot(byId("packets-plot"), "bad", ["fulfilled", "rejected"]);
const value = new Plot(byId("value-plot"), "out", ["in", "out"]);
const history = []; // snapshots, the last one last
let mayOperate = false;
let asset = ""; // the one whose value is shown

// state says what the page knows of the connector.
function state(text, dot) {
  byId("state").querySelector(".dot").className = "dot " + dot;
  setText(byId("state-text"), text);
}

// series gives the differences of a figure from each snapshot to the next, for
// a second.
function series(figure) {
  const values = [];
  for (let i = 1; i < history.length; i++) {
    const seconds = (new Date(history[i].time) - new Date(history[i - 1].time)) / 1000;
    values.push(seconds > 0 ? Math.max(0, figure(history[i]) - figure(history[i - 1])) / seconds : 0);
  }
  return values;
}

const assetName = (a) => `${a.assetCode} / ${a.assetScale}`;

function drawValue() {
  const of = (s, side) => {
    const a = s.assets.find((other) => assetName(other) === asset);
    return a ? Number(BigInt(a[side])) / 10 ** a.assetScale : 0;
  };
  const [incoming, outgoing] = ["incoming", "outgoing"].map((side) => series((s) => of(s, side)));
  value.draw(incoming, outgoing);
  setText(byId("value-in"), compact(incoming.at(-1) ?? 0));
  setText(byId("value-out"), compact(outgoing.at(-1) ?? 0));
}

function drawPackets() {
  const [good, bad] = ["fulfilled", "rejected"].map((outcome) => series((s) => s.packets[outcome]));
  packets.draw(good, bad);
  setText(byId("packets-good"), compact(good.at(-1) ?? 0));
  setText(byId("packets-bad"), compact(bad.at(-1) ?? 0));
}

function offerAssets(snapshot) {
  const names = snapshot.assets.map(assetName);
  const select = byId("value-asset");
  if ([...select.options].map((o) => o.value).join() === names.join()) return;
  if (!names.includes(asset)) {
    const moved = snapshot.assets.find((a) => a.incoming !== "0") ?? snapshot.assets[0];
    asset = moved ? assetName(moved) : "";
  }
  select.replaceChildren(...names.map((name) => el("option", { value: name, selected: name === asset }, name)));
}
byId("value-asset").addEventListener("change", (event) => {
  asset = event.target.value;
  drawValue();
});

// take follows a snapshot.
function take(snapshot) {
  const before = history.at(-1);
  history.push(snapshot);
  if (history.length > span + 2) history.shift();
  state(snapshot.running ? "running" : "stopped", snapshot.running ? "up" : "down");
  offerAssets(snapshot);
  drawPackets();
  drawValue();
  if (accounts.take(snapshot)) quietly(accounts.load());
  if (snapshot.alerts !== before?.alerts) quietly(loadAlerts(mayOperate));
  const settling = (s) => Object.values(s.accounts).reduce((sum, a) => sum + a.settlements, 0);
  if (before && settling(before) !== settling(snapshot)) quietly(loadSettlements());
}

// quietly lets something fail: it is tried again soon.
const quietly = (work) => work.catch(() => {});

async function loadAll() {
  await accounts.load();
  await Promise.all([routes.load(), rates.load(), loadAlerts(mayOperate), loadSettlements()]);
}

let following; // aborts what goes on

// begin looks at everything, and follows what moves until the tab is closed.
async function begin() {
  following?.abort();
  following = new AbortController();
  const { signal } = following;
  let retry = 1000;
  while (!signal.aborted) {
    try {
      const session = await get("session");
      mayOperate = session.role === "operate";
      setRole(session.role);
      offerAccounts(session);
      offerRoutes(mayOperate);
      byId("probe-form").querySelectorAll("button").forEach((b) => (b.disabled = !mayOperate));
      setText(byId("token-button"), hasToken() ? (mayOperate ? "Forget token" : "Read only: forget token") : "Token");
      await loadAll();
      packetLog.follow(session.packetLog);
      document.documentElement.dataset.ready = "yes";
      retry = 1000;
      await watch("events", {}, take, signal);
    } catch (fault) {
      if (fault instanceof Refused) {
        ask(hasToken() ? fault.message : "");
        return;
      }
      if (!signal.aborted) state(fault.message && !(fault instanceof TypeError) ? fault.message : "not reached, trying again", "down");
    }
    await new Promise((go) => setTimeout(go, retry));
    retry = Math.min(2 * retry, 15000);
  }
}

// ask asks for a token.
function ask(fault) {
  state("a token is needed", "down");
  setText(byId("token-fault"), fault);
  const dialog = byId("token-dialog");
  if (!dialog.open) dialog.showModal();
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  useToken(new FormData(event.target).get("token").trim());
  event.target.reset();
  byId("token-dialog").close();
  begin();
});
byId("token-button").addEventListener("click", () => {
  if (!hasToken()) {
    ask("");
    return;
  }
  useToken("");
  location.reload();
});

// What is changed here is seen at once.
document.addEventListener("changed", () => quietly(loadAll()));

// What changes without a snapshot that says so.
setInterval(() => {
  if (document.hidden || !history.length) return;
  quietly(accounts.load());
  quietly(rates.load());
  quietly(loadAlerts(mayOperate));
  quietly(loadSettlements());
}, 10000);
setInterval(() => {
  if (!document.hidden && history.length && !byId("routes").contains(document.activeElement)) quietly(routes.load());
}, 30000);

packets.draw([], []);
value.draw([], []);
begin();
