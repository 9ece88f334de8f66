// What waits for the operator: alerts, and settlements without an answer.
import { accountsById } from "./accounts.js";
import { get, send } from "./api.js";
import { byId, el, setText, toast } from "./dom.js";
import { amount, ago } from "./format.js";

const kinds = {
  balanceExceeded: "It is owed too much, and takes no packets",
  lateFulfill: "It fulfilled after the packet had expired",
  settlementFailing: "A settlement fails, and is tried again",
  settlementRefused: "A settlement was refused",
  storeFailing: "The store fails",
  storeRecovered: "The store works again",
  assetMismatch: "The parent counts in another unit",
};

// loadAlerts shows the alerts, the last that happened first.
export async function loadAlerts(mayOperate) {
  const { alerts } = await get("alerts");
  alerts.sort((a, b) => b.updatedAt.localeCompare(a.updatedAt));
  const badge = byId("alert-badge");
  badge.hidden = alerts.length === 0;
  setText(badge, alerts.length);
  byId("alert-list").replaceChildren(...alerts.map((a) => el("li", {},
    el("span", { class: "what" }, a.accountId && el("b", {}, a.accountId, ": "), kinds[a.kind] ?? a.kind,
      a.triggeredBy && [", says ", el("code", {}, a.triggeredBy)], " ", el("small", {}, el("bdi", {}, a.message))),
    el("span", { class: "when" }, a.count > 1 ? `${a.count} times, last ` : "", ago(a.updatedAt)),
    mayOperate && el("button", { type: "button", class: "small", "aria-label": `Dismiss the alert about ${a.accountId || "the connector"}`,
      onclick: () => send("DELETE", "alerts/" + a.id).then(() => loadAlerts(mayOperate)).catch((fault) => toast(fault.message)) }, "Dismiss"))));
}

// loadSettlements shows the settlements that we are making.
export async function loadSettlements() {
  const { settlements, next } = await get("settlements", { limit: 50 });
  const known = accountsById();
  const money = (s) => {
    const info = known[s.accountId]?.info;
    return info ? `${amount(s.amount, info.assetScale)} ${info.assetCode}` : s.amount;
  };
  const list = settlements.map((s) => el("li", {},
    el("span", { class: "what" }, el("b", {}, money(s)), " to ", s.accountId, " ",
      s.lastError ? el("small", { class: "fault" }, el("bdi", {}, s.lastError)) : el("small", {}, "on its way")),
    el("span", { class: "when" }, s.attempts > 1 ? `${s.attempts} attempts, ` : "", ago(s.createdAt))));
  if (list.length === 0) list.push(el("li", { class: "empty" }, "Nothing is being settled."));
  if (next) list.push(el("li", { class: "empty" }, "There are more."));
  byId("settlement-list").replaceChildren(...list);
}
