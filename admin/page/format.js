// Numbers as people read them. Amounts are BigInt all the way: they pass 2^53.

// amount writes units of an asset of this scale as a decimal number, with at
// most digits behind the point. What is cut off is cut towards zero.
export function amount(units, scale, digits = scale) {
  let n = BigInt(units);
  const sign = n < 0n ? "−" : "";
  if (n < 0n) n = -n;
  const one = 10n ** BigInt(scale);
  const whole = (n / one).toString().replace(/\B(?=(\d{3})+$)/g, "\u202f");
  let rest = (n % one).toString().padStart(scale, "0").slice(0, Math.min(digits, scale));
  if (scale > 2) rest = rest.replace(/0+$/, "").padEnd(Math.min(2, digits, scale), "0");
  return sign + whole + (rest ? "." + rest : "");
}

// rounded is amount with two digits behind the point, so that a column of them
// can be compared; more where there would be nothing to see.
export function rounded(units, scale) {
  const n = BigInt(units);
  const size = n < 0n ? -n : n;
  const one = 10n ** BigInt(scale);
  if (n === 0n || size >= one) return amount(n, scale, 2);
  return amount(n, scale, size * 1000000n >= one ? 6 : scale);
}

// parse reads a decimal number of an asset of this scale, and gives its units;
// null if it is none, or finer than a unit.
export function parse(text, scale) {
  const found = /^([-−]?)(\d+)(?:\.(\d+))?$/.exec(text.trim().replace(/[\s\u202f]/g, ""));
  if (!found) return null;
  const [, sign, whole, rest = ""] = found;
  if (rest.replace(/0+$/, "").length > scale) return null;
  const n = BigInt(whole + rest.slice(0, scale).padEnd(scale, "0"));
  return sign ? -n : n;
}

// short is amount in the room of a label: 1.2M.
export function short(units, scale) {
  if (units === "Infinity") return "∞";
  if (units === "-Infinity") return "−∞";
  return compact(Number(BigInt(units)) / 10 ** scale);
}

// compact writes a number with three digits that count.
export function compact(x) {
  const size = Math.abs(x);
  const sign = x < 0 ? "−" : "";
  for (const [unit, letter] of [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e4, "k"]]) {
    if (size >= unit) return sign + trim(size / (letter === "k" ? 1e3 : unit)) + letter;
  }
  if (size !== 0 && size < 0.001) return sign + size.toExponential(1);
  return sign + trim(size);
}

// trim writes a number that is not negative with three digits that count.
function trim(x) {
  let digits = 3;
  if (x >= 100) digits = 0;
  else if (x >= 10) digits = 1;
  else if (x >= 1) digits = 2;
  const text = x.toFixed(digits);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

// rate writes a rate of exchange with six digits that count.
export function rate(x) {
  const n = Number(x);
  if (n !== 0 && (n < 1e-5 || n >= 1e9)) return n.toExponential(4).replace("e+", "e").replace("e", " e");
  if (n >= 1e5) return n.toFixed(0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return n.toPrecision(6).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

// milliseconds writes a time that is in microseconds.
export const milliseconds = (micros) => (micros < 10000 ? (micros / 1000).toFixed(2) : (micros / 1000).toFixed(0)) + " ms";

// clock writes when something was, to the millisecond, as clocks here have it.
export function clock(time) {
  const t = new Date(time);
  const two = (n) => String(n).padStart(2, "0");
  return `${two(t.getHours())}:${two(t.getMinutes())}:${two(t.getSeconds())}.${String(t.getMilliseconds()).padStart(3, "0")}`;
}

// ago says how long ago something was.
export function ago(time) {
  const seconds = Math.max(0, (Date.now() - new Date(time).getTime()) / 1000);
  if (seconds < 90) return Math.round(seconds) + " s ago";
  if (seconds < 5400) return Math.round(seconds / 60) + " min ago";
  if (seconds < 129600) return Math.round(seconds / 3600) + " h ago";
  return new Date(time).toLocaleDateString();
}

// linkState gives the state of an account's link in a word.
export const linkState = (a) => (a.paused ? "paused" : a.connected ? "up" : "down");
