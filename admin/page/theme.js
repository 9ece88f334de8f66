// Light, dark, or as the system has it.
import { byId } from "./dom.js";

const key = "connector-theme";
const themes = ["auto", "dark", "light"];
const button = byId("theme-button");

function use(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.textContent = theme[0].toUpperCase() + theme.slice(1);
  button.setAttribute("aria-label", "Colors: " + (theme === "auto" ? "as the system" : theme));
}

let theme = localStorage.getItem(key) ?? "auto";
if (!themes.includes(theme)) theme = "auto";
use(theme);
button.addEventListener("click", () => {
  theme = themes[(themes.indexOf(theme) + 1) % themes.length];
  localStorage.setItem(key, theme);
  use(theme);
});
