// Ping and trace.
import { send } from "./api.js";
import { byId, el } from "./dom.js";
import { milliseconds } from "./format.js";

const because = (reject) => [`${reject.code} by ${reject.triggeredBy || "nobody knows whom"}`, reject.message && [": ", el("bdi", {}, reject.message)]];

function pinged(p) {
  if (!p.reached) {
    return el("ol", { class: "steps" }, el("li", { class: "bad" }, el("code", { class: "where" }, p.address), el("span", {}, "not reached"),
      el("span", { class: "why" }, because(p.reject))));
  }
  let came = "";
  if (p.delivered !== undefined) came = `${p.delivered} of ${p.sent} arrived, in the units of the two ends`;
  if (p.echo) came = `${p.returned ?? 0} of ${p.sent} came back`;
  return el("ol", { class: "steps" }, el("li", { class: "end" }, el("code", { class: "where" }, p.address), el("b", {}, milliseconds(p.roundTripMicroseconds)),
    came && p.sent !== "0" && el("span", { class: "why" }, came)));
}

function traced(t) {
  const parts = [el("ol", { class: "steps" }, ...t.hops.map((hop, i) => {
    const last = i === t.hops.length - 1;
    const stuck = last && hop.reject;
    return el("li", { class: stuck ? "bad" : last ? "end" : "" }, el("code", { class: "where" }, hop.address || "somebody who has no name"),
      el("b", {}, milliseconds(hop.roundTripMicroseconds)), stuck && el("span", { class: "why" }, because(hop.reject)));
  }))];
  if (t.error) parts.push(el("p", { class: "fault" }, t.error));
  return el("div", {}, ...parts);
}

byId("probe-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = new FormData(event.target);
  const address = form.get("address").trim();
  const amount = form.get("amount").trim().replace(/^0+(?=\d)/, "");
  const trace = event.submitter?.value === "trace";
  const buttons = event.target.querySelectorAll("button");
  const box = byId("probe-result");
  buttons.forEach((b) => (b.disabled = true));
  box.replaceChildren(el("p", { class: "empty" }, trace ? "Tracing…" : "Waiting…"));
  try {
    box.replaceChildren(trace
      ? traced(await send("POST", "trace", { address }))
      : pinged(await send("POST", "ping", { address, amount: amount || "0" })));
  } catch (fault) {
    box.replaceChildren(el("p", { class: "fault" }, fault.message));
  }
  buttons.forEach((b) => (b.disabled = false));
});
