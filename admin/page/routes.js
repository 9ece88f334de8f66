// The routing table, a part of it at a time, and why an address goes where it
// goes.
import { get } from "./api.js";
import { byId, el, setText, toast } from "./dom.js";

const limit = 12;
let before = []; // where the parts before this one began
let after = "";
let next = "";
let search = "";

// load shows the present part.
export async function load() {
  const answer = await get("routes", { q: search, limit, after });
  next = answer.next ?? "";
  const first = before.length * limit;
  setText(byId("routes-note"), answer.total === 0 ? "none" : `${first + 1}–${first + answer.routes.length} of ${answer.total}`);
  byId("route-rows").replaceChildren(...answer.routes.map((r) => el("tr", {},
    el("td", { class: "mono" }, r.prefix),
    el("td", {}, r.nextHop
      ? el("span", { class: "link" }, el("span", { class: "dot " + (r.connected ? "up" : "down") }), r.nextHop, el("span", { class: "hidden" }, r.connected ? "up" : "down"))
      : el("small", {}, "the connector itself")),
    el("td", {}, el("span", { class: "tag" }, r.origin)),
    el("td", { class: "number", title: r.path.join(" ") }, r.path.length ? String(r.path.length) : "–"))));
  if (answer.total === 0) byId("route-rows").replaceChildren(el("tr", {}, el("td", { colspan: 4 }, el("span", { class: "empty" }, "No route is like this."))));
  byId("routes-back").disabled = before.length === 0;
  byId("routes-next").disabled = next === "";
}

const reload = () => load().catch((fault) => toast(fault.message));
let waiting;

byId("routes-form").addEventListener("submit", (event) => event.preventDefault());
byId("routes-form").addEventListener("input", (event) => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    [search, before, after] = [event.target.value.trim(), [], ""];
    reload();
  }, 200);
});
byId("routes-next").addEventListener("click", () => {
  before.push(after);
  after = next;
  reload();
});
byId("routes-back").addEventListener("click", () => {
  after = before.pop() ?? "";
  reload();
});

byId("explain-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const box = byId("explanation");
  try {
    const { candidates } = await get("explain", { address: new FormData(event.target).get("address").trim() });
    if (candidates.length === 0) {
      box.replaceChildren(el("p", { class: "fault" }, "There is no route: packets are answered F02."));
      return;
    }
    box.replaceChildren(el("ol", { class: "steps" }, ...candidates.map((c, i) => el("li", { class: i === 0 ? "end" : "unused" },
      el("span", { class: "where" }, el("code", {}, c.prefix), " → ", c.nextHop || "the connector itself"),
      el("small", {}, c.origin + (c.connected ? "" : ", link down")),
      el("span", { class: "why" }, (i === 0 ? "Taken: " : "Not taken: ") + c.why + (c.path.length ? ", by " + c.path.join(" › ") : ""))))));
  } catch (fault) {
    box.replaceChildren(el("p", { class: "fault" }, fault.message));
  }
});
