// The API of the connector. The token stays in this tab.

const key = "connector-token";
let token = sessionStorage.getItem(key) || "";

// Refused is thrown where a token is needed, or another one.
export class Refused extends Error {}

// useToken sends a token with each request from now on; an empty one sends none.
export function useToken(text) {
  token = text;
  if (token) sessionStorage.setItem(key, token);
  else sessionStorage.removeItem(key);
}

export const hasToken = () => token !== "";

async function request(method, path, body, signal) {
  const headers = {};
  if (token) headers.Authorization = "Bearer " + token;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, { method, headers, body, signal, cache: "no-store" });
  if (response.ok) return response;
  let detail = response.statusText;
  try {
    detail = (await response.json()).detail || detail;
  } catch {
    // whoever has answered is not the connector
  }
  if (response.status === 401) throw new Refused(detail);
  throw new Error(detail);
}

// withQuery adds parameters to a path; those that are empty are left out.
function withQuery(path, query) {
  const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(set).toString();
  return path + (text ? "?" + text : "");
}

// get reads a resource. query has its parameters.
export async function get(path, query = {}) {
  return (await request("GET", withQuery(path, query))).json();
}

// send changes something, and gives what is answered, if anything is. The
// document is told by the event "changed".
export const send = (method, path, body) => sendText(method, path, body === undefined ? undefined : JSON.stringify(body));

// sendText is send of a body that is JSON already, and stays as it is: numbers of
// JavaScript are not exact.
export async function sendText(method, path, body) {
  const response = await request(method, path, body);
  const answer = response.status === 204 ? null : await response.json();
  document.dispatchEvent(new Event("changed"));
  return answer;
}

export const accountPath = (id) => "accounts/" + encodeURIComponent(id);

// watch calls take with each event of a stream until that ends, or signal says
// so.
export async function watch(path, query, take, signal) {
  const response = await request("GET", withQuery(path, query), undefined, signal);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const data = text.slice(0, end).split("\n").find((line) => line.startsWith("data: "));
      if (data) take(JSON.parse(data.slice(6)));
    }
  }
}
