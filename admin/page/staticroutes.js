// The dialog that edits the configured routes, which come before all others.
import { accountsById } from "./accounts.js";
import { get, send } from "./api.js";
import { confirmed } from "./confirm.js";
import { byId, el, setText } from "./dom.js";

const dialog = byId("static-dialog");
const form = byId("static-form");
const fault = byId("static-fault");

const pathOf = (prefix) => "routes/static/" + encodeURIComponent(prefix);

// offerRoutes shows the button to whoever may edit them.
export function offerRoutes(mayOperate) {
  byId("static-button").hidden = !mayOperate;
}

async function load() {
  const { routes } = await get("routes/static");
  const known = accountsById();
  byId("static-accounts").replaceChildren(...Object.keys(known).sort().map((id) => el("option", { value: id })));
  const rows = routes.map((r) => el("tr", {},
    el("td", { class: "mono" }, r.prefix || "everything else"),
    el("td", {}, r.nextHop),
    el("td", { class: "number" }, r.prefix && el("button", { type: "button", class: "small danger",
      "aria-label": `Remove the route to ${r.prefix}`, onclick: () => remove(r) }, "Remove"))));
  if (rows.length === 0) rows.push(el("tr", {}, el("td", { colspan: 3 }, el("span", { class: "empty" }, "There is none."))));
  byId("static-rows").replaceChildren(...rows);
}

// change does something, and shows what has come of it.
async function change(work) {
  setText(fault, "");
  try {
    await work();
    await load();
  } catch (refused) {
    setText(fault, refused.message);
  }
}

async function remove(route) {
  const sure = await confirmed({
    title: `Remove the route to ${route.prefix}?`, button: "Remove",
    text: `Packets go to ${route.nextHop} by it. Without it they go by what neighbors tell, or by the default route, or nowhere.`,
  });
  if (sure === null) return;
  await change(() => send("DELETE", pathOf(route.prefix)));
  form.elements.prefix.focus(); // the button is gone
}

byId("static-button").addEventListener("click", () => change(async () => {
  await load();
  dialog.showModal();
}));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const prefix = form.elements.prefix.value.trim();
  change(async () => {
    await send("PUT", pathOf(prefix), { nextHop: form.elements.nextHop.value.trim() });
    form.reset();
    form.elements.prefix.focus();
  });
});
