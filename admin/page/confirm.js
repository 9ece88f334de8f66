// A question before what cannot be undone.
import { byId, setText } from "./dom.js";

const dialog = byId("confirm-dialog");
const form = byId("confirm-form");
let answered = () => {};

// confirmed asks, and gives null if that is not meant; otherwise the number in
// the field, or "" without one.
export function confirmed({ title, text, button, field }) {
  setText(byId("confirm-title"), title);
  setText(byId("confirm-text"), text);
  setText(byId("confirm-button"), button);
  byId("confirm-field").hidden = !field;
  const input = form.elements.value;
  input.disabled = !field;
  if (field) {
    setText(byId("confirm-label"), field.label);
    Object.assign(input, { min: field.min, max: field.max, value: field.value });
  }
  answered(null); // the one before, if the page has not been told of its end
  return new Promise((done) => {
    answered = done;
    dialog.showModal();
    byId("confirm-keep").focus();
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const input = form.elements.value;
  answered(input.disabled ? "" : input.value);
  dialog.close();
});
byId("confirm-keep").addEventListener("click", () => dialog.close());
// It is told after the end: by then another question may be asked. Who has
// answered is not answered again.
dialog.addEventListener("close", () => dialog.open || answered(null));
