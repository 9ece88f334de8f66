// Small plots of what was a moment ago, drawn as SVG.
import { el, setText } from "./dom.js";
import { compact } from "./format.js";

// span is how many seconds a plot shows.
export const span = 120;

// nice gives a round number that is not below x, for the top of a plot.
function nice(x) {
  if (!(x > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= x * 0.999);
}

// path gives the line through values, the last of them at the right edge.
function path(values, top, width, height) {
  const step = width / span;
  let text = "";
  values.forEach((value, i) => {
    const x = width - (values.length - 1 - i) * step;
    const y = height - (Math.min(value, top) / top) * height;
    text += (i ? "L" : "M") + x.toFixed(1) + " " + y.toFixed(1);
  });
  return text;
}

// Plot is a chart with an area, and a line over it, in this box. what names its
// two series for those who do not see them.
export class Plot {
  constructor(box, over, what) {
    this.what = what;
    this.svg = el("svg", { viewBox: "0 0 600 100", preserveAspectRatio: "none", role: "img" });
    for (const y of [0, 50, 100]) this.svg.append(el("line", { class: "grid", x1: 0, x2: 600, y1: y, y2: y }));
    this.area = el("path", { class: "area" });
    this.line = el("path", { class: "line" });
    this.over = el("path", { class: "line " + over });
    this.svg.append(this.area, this.line, this.over);
    this.marks = [0, 50].map((y) => el("span", { class: "mark", "aria-hidden": "true" }));
    box.append(this.svg, ...this.marks, el("span", { class: "when", "aria-hidden": "true" }, "2 min ago"), el("span", { class: "when now", "aria-hidden": "true" }, "now"));
    this.marks.forEach((mark, i) => (mark.style.top = 50 * i + "%"));
  }

  draw(first, second) {
    const top = nice(Math.max(...first, ...second, 0));
    const line = path(first, top, 600, 100);
    this.line.setAttribute("d", line);
    this.over.setAttribute("d", path(second, top, 600, 100));
    const begin = 600 - ((first.length - 1) * 600) / span;
    this.area.setAttribute("d", first.length > 1 ? `${line}L600 100L${begin.toFixed(1)} 100Z` : "");
    this.marks.forEach((mark, i) => setText(mark, compact(top * (1 - i / 2))));
    const last = (values) => compact(values.at(-1) ?? 0);
    this.svg.setAttribute("aria-label", `${this.what[0]} ${last(first)} a second, ${this.what[1]} ${last(second)} a second`);
  }
}

// Spark is a line in a row of a table.
export class Spark {
  constructor() {
    this.line = el("path", { class: "line" });
    this.element = el("svg", { class: "spark", viewBox: "0 0 120 24", preserveAspectRatio: "none", "aria-hidden": "true" },
      el("line", { class: "grid", x1: 0, x2: 120, y1: 23.5, y2: 23.5 }), this.line);
  }

  draw(values) {
    this.line.setAttribute("d", path(values, nice(Math.max(...values, 0)), 120, 22));
  }
}

// meter shows where a balance stands between its limits, and what is in flight
// on both sides of it. Without a limit the bar is as long as it has to be.
export function meter() {
  const shapes = {};
  const svg = el("svg", { viewBox: "0 0 1000 10", preserveAspectRatio: "none", role: "img" });
  for (const name of ["track", "fill", "flight", "zero"]) {
    shapes[name] = el("rect", { class: name, y: name === "zero" ? 0 : 2, height: name === "zero" ? 10 : 6, width: 0 });
    svg.append(shapes[name]);
  }
  shapes.track.setAttribute("x", 0);
  shapes.track.setAttribute("width", 1000);
  const low = el("span");
  const high = el("span");
  const element = el("div", { class: "meter" }, svg, el("div", { class: "ends", "aria-hidden": "true" }, low, high));
  return { element, svg, shapes, low, high };
}

// place draws a meter. All are BigInt; minimum and maximum may be null.
export function place(m, { balance, reservedIn, reservedOut, minimum, maximum }) {
  const most = [balance + reservedIn, 0n].reduce((a, b) => (a > b ? a : b));
  const least = [balance - reservedOut, 0n].reduce((a, b) => (a < b ? a : b));
  const open = most - least > 0n ? ((most - least) * 5n) / 4n : 1n;
  let from = minimum ?? (maximum !== null && maximum > 0n && -maximum < least ? -maximum : least - open / 4n);
  let to = maximum ?? (minimum !== null && minimum < 0n && -minimum > most ? -minimum : most + open / 4n);
  if (least < from) from = least;
  if (most > to) to = most;
  if (to <= from) to = from + 1n;
  const at = (n) => Number(((n - from) * 100000n) / (to - from)) / 100;
  const bar = (shape, a, b) => {
    const [left, right] = a < b ? [at(a), at(b)] : [at(b), at(a)];
    const width = a === b ? 0 : Math.max(right - left, 4);
    shape.setAttribute("x", Math.min(left, 1000 - width));
    shape.setAttribute("width", width);
  };
  bar(m.shapes.flight, balance - reservedOut, balance + reservedIn);
  bar(m.shapes.fill, 0n, balance);
  m.shapes.fill.setAttribute("class", balance < 0n ? "owing" : "owed");
  m.shapes.zero.setAttribute("x", Math.min(Math.max(at(0n) - 1, 0), 998));
  m.shapes.zero.setAttribute("width", 2);
}
