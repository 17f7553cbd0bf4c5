// The space-time diagram: what is chosen in it, and what follows from that.

import { tellOrder, tellPast } from "./answers.js";
import { future, past } from "./causality.js";
import { moveCut } from "./cut.js";
import { $ } from "./elements.js";
import { listen } from "./hands.js";
import { overview } from "./overview.js";
import { paint } from "./painter.js";
import { TOP, Viewport } from "./viewport.js";

/** As far from an event as that, in pixels, one still points at it. */
const NEAR = 14;

export class Diagram {
  /** The diagram of the run with that place on the page. */
  constructor(root, history, index) {
    this.root = root; this.h = history; this.index = index;
    // Within reach of the browser's console, for questions that no button asks.
    this.canvas = $(".space", root); this.canvas.diagram = this; this.over = $(".overview", root); this.answer = $(".answer", root);
    this.chosen = []; this.focus = -1; this.cut = null; this.cutTime = null; this.path = [];
    this.port = new Viewport(history, () => this.draw());
    listen(this);
    this.port.first(this.canvas.clientWidth || 900);
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }
  paint() { paint(this); overview(this); }
  reveal(i) { this.port.reveal(this.h.time[i]); }
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }
  /** What an event is to the chosen one: "past", "future", "apart", "chosen"; nothing where none is chosen. */
  side(i) {
    if (!this.chosen.length) return null;
    if (this.chosen.includes(i)) return "chosen";
    const l = this.h.line[i], k = i - this.h.start[l];
    if (k < this.before[l]) return "past";
    return k >= this.later[l] ? "future" : "apart";
  }
  at(x, y) {
    const l = Math.round((y - TOP) / this.port.spacing - 0.5), h = this.h;
    if (l < 0 || l >= h.vms.length || Math.abs(this.port.y(l) - y) > Math.max(NEAR, this.port.spacing / 2)) return -1;
    const next = h.after(l, this.port.timeAt(x));
    let best = -1, least = NEAR;
    for (const i of [next - 1, next]) if (i >= h.start[l] && i < h.start[l + 1]) {
      const far = Math.abs(this.port.x(h.time[i]) - x);
      if (far < least) { best = i; least = far; }
    }
    return best;
  }
  choose(i) {
    if (i < 0) return;
    const first = this.chosen[0];
    this.chosen = this.chosen.length === 1 && first !== i ? [first, i] : [i];
    this.tell();
  }
  clear() { this.chosen = []; this.focus = -1; this.tell(); }
  tell() {
    const h = this.h, [a, b] = this.chosen;
    this.path = [];
    this.root.classList.toggle("choosing", a !== undefined);
    this.answer.replaceChildren();
    for (const key of Object.keys(this.answer.dataset)) delete this.answer.dataset[key];
    if (a !== undefined) { this.before = past(h, a); this.later = future(h, a); }
    if (b !== undefined) tellOrder(this, a, b);
    else if (a !== undefined) tellPast(this, a);
    this.remember();
    this.draw();
  }
  remember() {
    const names = this.chosen.map((i) => this.h.name(i));
    const run = this.index ? "run=" + (this.index + 1) : "";
    const asked = names.length === 2 ? "order=" + names.join(",") : names.length === 1 ? "event=" + names[0] : "";
    const hash = run || asked ? "#" + [run, asked].filter(Boolean).join("&") : "";
    if (location.hash !== hash) history.replaceState(null, "", hash || location.pathname + location.search);
  }
  /** What the address asks for: event=vm0-17, order=vm0-17,vm2-9 or cut=12.5. */
  recall(key, value) {
    if (key === "cut") {
      $(".cut-on", this.root).checked = true;
      $(".cut-at", this.root).value = 1000 * (Number(value) - this.port.least) / (this.port.most - this.port.least);
      moveCut(this);
      return;
    }
    const found = value.split(",").map((name) => this.h.find(name)).filter((i) => i >= 0).slice(0, 2);
    if ((key !== "event" && key !== "order") || !found.length) return;
    this.chosen = found;
    this.tell();
    const times = found.map((i) => this.h.time[i]), from = Math.min(...times), far = Math.max(...times) - from;
    if (far > (this.port.view[1] - this.port.view[0]) * 0.9) this.port.show(from - far * 0.08, far * 1.16);
    else this.port.show(from + far / 2 - (this.port.view[1] - this.port.view[0]) / 2, this.port.view[1] - this.port.view[0]);
  }
}
