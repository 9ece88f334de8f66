// The rates between accounts.
import { accountsById } from "./accounts.js";
import { get } from "./api.js";
import { byId, el } from "./dom.js";
import { rate } from "./format.js";

const most = 24; // accounts in the table

// load shows the rates of now.
export async function load() {
  const rates = await get("rates", { limit: most });
  const ids = Object.keys(rates).sort();
  const known = accountsById();
  const asset = (id) => known[id]?.info ?? { assetCode: "", assetScale: 0 };
  // The API speaks of the smallest units, people of whole ones.
  const whole = (from, to) => Number(rates[from][to]) * 10 ** (asset(from).assetScale - asset(to).assetScale);
  const table = byId("rate-table");
  if (ids.length < 2) {
    table.replaceChildren(el("tbody", {}, el("tr", {}, el("td", {}, el("span", { class: "empty" }, "It takes two accounts.")))));
    return;
  }
  table.replaceChildren(
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, el("span", { class: "hidden" }, "From")), ...ids.map((id) => el("th", { scope: "col", title: id }, id)))),
    el("tbody", {}, ...ids.map((from) => el("tr", {},
      el("th", { scope: "row", title: from }, from, " ", el("small", {}, asset(from).assetCode)),
      ...ids.map((to) => el("td", { title: `${from} to ${to}` }, from === to
        ? el("span", { class: "minor", "aria-label": "itself" }, "·")
        : rates[from][to] === undefined ? el("span", { class: "minor" }, "none") : rate(whole(from, to))))))));
}
