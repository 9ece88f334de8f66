// Making and finding elements. Text is always text: nothing of the connector's
// becomes markup.

const svgNames = new Set(["svg", "path", "rect", "line", "g"]);

export const byId = (id) => document.getElementById(id);

// el makes an element: attributes (on… are listeners, class, hidden and so on as
// they are written), and children, which are elements or text.
export function el(name, attributes = {}, ...children) {
  const made = svgNames.has(name)
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value !== undefined && value !== null) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return made;
}

// setText changes the text of an element, if it is another.
export function setText(element, text) {
  if (element.textContent !== String(text)) element.textContent = text;
}

let hiding;

// toast says something for a while.
export function toast(text) {
  const box = byId("toast");
  box.textContent = text;
  box.classList.add("shown");
  clearTimeout(hiding);
  hiding = setTimeout(() => box.classList.remove("shown"), 4000 + 40 * text.length);
}

// Every dialog closes by its button.
for (const button of document.querySelectorAll("dialog .close")) {
  button.addEventListener("click", () => button.closest("dialog").close());
}
