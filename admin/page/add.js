// The dialog that adds an account.
import { sendText } from "./api.js";
import { byId, el, setText, toast } from "./dom.js";

const dialog = byId("add-dialog");
const form = byId("add-form");
const fault = byId("add-fault");
let templates = [];
let begun = ""; // the record as it was begun with

// offerAccounts shows the button to whoever may add accounts.
export function offerAccounts(session) {
  templates = session.templates ?? [];
  byId("add-button").hidden = !session.addAccounts;
  byId("add-templates").hidden = templates.length === 0;
  form.elements.template.replaceChildren(...templates.map((t, i) => el("option", { value: i }, t.name)));
  begin();
}

// begin writes the template that is chosen.
function begin() {
  const chosen = templates[form.elements.template.value];
  begun = chosen ? JSON.stringify(chosen.record, null, 2) : "{\n}";
  form.elements.record.value = begun;
}

byId("add-button").addEventListener("click", () => {
  setText(fault, "");
  dialog.showModal();
  form.elements.account.focus();
});
form.elements.template.addEventListener("change", () => {
  const written = form.elements.record.value;
  if (written === begun || written.trim() === "") begin();
  else setText(fault, "The record stays as it was written: empty it to begin with another.");
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const id = form.elements.account.value.trim();
  const record = form.elements.record.value;
  setText(fault, "");
  try {
    JSON.parse(record);
  } catch (wrong) {
    setText(fault, "The record is no JSON: " + wrong.message);
    form.elements.record.focus();
    return;
  }
  const button = byId("add-submit");
  button.disabled = true;
  try {
    const { connected } = await sendText("POST", "addAccount", `{"id": ${JSON.stringify(id)}, "options": ${record}}`);
    toast(`${id} is added${connected ? "" : "; its link is not up yet"}.`);
    form.reset();
    begin(); // there may be secrets in what was written
    dialog.close();
  } catch (refused) {
    setText(fault, refused.message);
  } finally {
    button.disabled = false;
  }
});
