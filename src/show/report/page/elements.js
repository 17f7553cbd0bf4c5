// Small things of the page. Texts from logs are only ever put in with textContent.

import { KINDS, eventName } from "./history.js";

/** @returns {any} */
export const $ = (selector, root = document) => root.querySelector(selector);
/** @returns {any[]} */
export const all = (selector, root = document) => [...root.querySelectorAll(selector)];

export function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** The row of an event as a list of names and values. */
export function facts(h, i) {
  const m = h.run.rows[h.line[i]], k = i - h.start[h.line[i]], [lost, twice, payload, mark] = h.rare(i);
  const list = element("dl", undefined, "facts");
  const add = (name, value) => list.append(element("dt", name), element("dd", value));
  add("kind", KINDS[h.kind[i]]);
  add("elapsed", h.time[i].toFixed(9) + " s");
  if (m.s) {
    let offset = 0;
    for (let j = 0; j <= k; j++) offset += m.s[j];
    const micros = offset + Math.floor(h.nanos[i] / 1000), seconds = Math.floor(micros / 1e6);
    const rest = String(micros - seconds * 1e6).padStart(6, "0");
    add("time of day", new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") + "." + rest + " UTC");
  }
  add("Lamport", h.lamport[i]);
  const vector = h.vector(i);
  if (vector) add("vector", vector.length <= 24 ? "[" + vector.join(", ") + "]"
    : "[" + vector.slice(0, 24).join(", ") + ", …] of " + vector.length);
  for (const [name, values] of m.c || []) add(name, values[k]);
  if (h.kind[i] === "s") add("to", h.peers[i].join(", ") || "nobody");
  if (h.kind[i] === "r") add("message", eventName(...h.message[i]) + (h.stamp[i] >= 0 ? ", stamp " + h.stamp[i] : ""));
  if (m.q) add("queue", m.q[k]);
  if (lost.length) add("lost", "to " + lost.join(", "));
  if (twice.length) add("twice", "to " + twice.join(", "));
  if (payload) add("payload", payload);
  if (mark) add("mark", mark);
  return list;
}

const tip = $("#tip");
export function showTip(x, y, ...content) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 16, innerWidth - box.width - 8)) + "px";
  tip.style.top = (y + 20 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18) + "px";
}
export const hideTip = () => { tip.hidden = true; };
