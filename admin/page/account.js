// The dialog with all that is known of an account, and what can be done with it.
import { accountPath, get, send } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, el, setText, toast } from "./dom.js";
import { amount, linkState, parse } from "./format.js";

const dialog = byId("account-dialog");
let mayOperate = false;
let open = ""; // the account that is shown
let stateText = null; // where its state stands

export function setRole(role) {
  mayOperate = role === "operate";
}

// openAccount shows all that is known of an account.
export async function openAccount(id) {
  try {
    const detail = await get(accountPath(id));
    [open, stateText] = [id, el("span")];
    byId("account-title").textContent = id;
    byId("account-body").replaceChildren(...describe(id, detail));
    showState(id, detail.state);
  } catch (fault) {
    toast(fault.message);
    return;
  }
  if (!dialog.open) dialog.showModal();
}

// showState keeps the state of the account that is shown up to date.
export function showState(id, a) {
  if (id !== open) return;
  const state = linkState(a);
  const left = a.inFlight + a.outstanding;
  setText(stateText, state !== "paused" ? state : left === 0 ? "paused, nothing in flight" : `paused, ${left} in flight`);
}

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
      fact("State", stateText), fact("Plugin", detail.plugin), fact("Relation", info.relation),
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
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "hidden" }, "Outcome")), ...["In", "Value in", "Out", "Value out"].map((t) => el("th", { scope: "col", class: "number" }, t)))),
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
      await openAccount(id);
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
  return [
    el("h3", {}, "Operate"),
    form(`Settle, in ${assetCode}`, "Settle", false, (text) => act(() => send("POST", "settlements", { accountId: id, amount: text }), "The settlement is in the books.")),
    form(`Add to the balance, in ${assetCode}; less than nothing takes from it`, "Adjust", true, (text) => act(() => send("POST", "balance", { accountId: id, amountDiff: text }), "The balance is adjusted.")),
    el("div", { class: "actions" },
      el("button", { type: "button", class: "danger", onclick: () => remove(id) }, "Remove"),
      el("button", { type: "button", onclick: pause }, state.paused ? "Resume" : "Pause")),
  ];
}

// remove removes an account, if that is meant.
async function remove(id) {
  const seconds = await confirmed({
    title: `Remove ${id}?`, button: "Remove",
    text: "It takes no new packets. Its balance is kept in the books, and it is there again if it is added again, or if it is in the configuration and the connector is started.",
    field: { label: "Wait for packets in flight, at most, in seconds", value: 60, min: 0, max: 300 },
  });
  if (seconds === null) return;
  toast(`Removing ${id}.`);
  try {
    await send("DELETE", `${accountPath(id)}?drain=${seconds}s`);
    toast(`${id} is removed.`);
    if (open === id) dialog.close();
  } catch (fault) {
    toast(fault.message);
  }
}
