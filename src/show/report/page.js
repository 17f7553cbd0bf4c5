// The page's life: the space-time diagram, the questions one can ask it, and values in the pictures.
// Texts from logs are only ever put in with textContent.
"use strict";
(() => {
const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const KINDS = { i: "internal", s: "send", r: "receive" };
const LEFT = 62, RIGHT = 14, TOP = 26, BOTTOM = 8, NEAR = 14, MANY = 1500;
const eventName = (vm, number) => "vm" + vm + "-" + number;
const plain = (value) => String(value).replace(/^-/, "−");

// ---------------------------------------------------------------- the events

/** The rows of a run, columns over all events: those of one machine stand together, in their order. */
class History {
  constructor(run) {
    this.run = run;
    this.vms = run.rows.map((m) => m.vm);
    this.start = [0];
    run.rows.forEach((m, i) => this.start.push(this.start[i] + m.k.length));
    const n = this.start[run.rows.length];
    this.count = n;
    this.line = new Int32Array(n); this.kind = new Array(n); this.number = new Float64Array(n);
    this.nanos = new Float64Array(n); this.time = new Float64Array(n); this.lamport = new Float64Array(n);
    this.from = new Int32Array(n).fill(-1); this.stamp = new Float64Array(n); this.message = new Array(n);
    this.peers = new Array(n); this.to = new Array(n);
    run.rows.forEach((m, l) => this.readMachine(m, l));
    this.byVm = new Map(this.vms.map((vm, l) => [vm, l]));
    this.connect();
  }
  readMachine(m, l) {
    let e = 0, t = 0, c = 0, p = 0;
    for (let k = 0, i = this.start[l]; k < m.k.length; k++, i++) {
      this.line[i] = l; this.kind[i] = m.k[k];
      this.number[i] = e += m.e[k]; this.nanos[i] = t += m.t[k]; this.lamport[i] = c += m.l[k];
      this.time[i] = t / 1e9;
      if (m.k[k] === "s") {
        const many = m.p[p++];
        this.peers[i] = m.p.slice(p, p + many); p += many;
      } else if (m.k[k] === "r") {
        this.message[i] = [m.p[p], m.p[p + 1]]; this.stamp[i] = m.p[p + 2]; p += 3;
      }
    }
  }
  connect() {
    const sends = new Map();
    for (let i = 0; i < this.count; i++) if (this.kind[i] === "s") { sends.set(this.name(i), i); this.to[i] = []; }
    for (let i = 0; i < this.count; i++) {
      if (this.kind[i] !== "r") continue;
      const send = sends.get(eventName(...this.message[i]));
      if (send !== undefined) { this.from[i] = send; this.to[send].push(i); }
    }
  }
  name(i) { return eventName(this.vms[this.line[i]], this.number[i]); }
  /** The event of that name, with its letters or without. */
  find(name) {
    const [vm, number] = name.replace(/^vm/, "").split("-").map(Number);
    const l = this.byVm.get(vm);
    if (l === undefined) return -1;
    for (let i = this.start[l]; i < this.start[l + 1]; i++) if (this.number[i] === number) return i;
    return -1;
  }
  rare(i) { return this.run.rows[this.line[i]].x[i - this.start[this.line[i]]] || [[], [], ""]; }
  /** The first event of a line that is later than a time. */
  after(l, time) {
    let low = this.start[l], high = this.start[l + 1];
    while (low < high) { const mid = (low + high) >> 1; if (this.time[mid] <= time) low = mid + 1; else high = mid; }
    return low;
  }
  vector(i) {
    const l = this.line[i], m = this.run.rows[l];
    if (!m.v) return null;
    const vector = new Array(m.v[0]).fill(0);
    for (let k = this.start[l], at = 1; k <= i; k++) {
      if (this.vms[l] < vector.length) vector[this.vms[l]]++;
      for (let many = m.v[at++]; many > 0; many--) { vector[m.v[at]] += m.v[at + 1]; at += 2; }
    }
    return vector;
  }
  /** Of each line how many of its events happened before an event, which is one of them. */
  past(event) {
    const front = new Int32Array(this.vms.length), todo = [event];
    while (todo.length) {
      const e = todo.pop(), l = this.line[e], end = e - this.start[l] + 1;
      for (let k = front[l]; k < end; k++) {
        const send = this.from[this.start[l] + k];
        if (send >= 0) todo.push(send);
      }
      front[l] = Math.max(front[l], end);
    }
    return front;
  }
  /** Of each line from which of its events on all happened after an event, which is one of them. */
  future(event) {
    const front = this.vms.map((_, l) => this.start[l + 1] - this.start[l]), todo = [event];
    while (todo.length) {
      const e = todo.pop(), l = this.line[e], first = e - this.start[l];
      for (let k = first; k < front[l]; k++) {
        const to = this.to[this.start[l] + k];
        if (to) todo.push(...to);
      }
      front[l] = Math.min(front[l], first);
    }
    return front;
  }
  /** Whether an event knows another one by its vector; undefined where it has none. */
  knows(e, other) {
    const vector = this.vector(e), vm = this.vms[this.line[other]];
    return vector && vm < vector.length ? vector[vm] >= this.number[other] : undefined;
  }
  isBefore(a, b) { return this.past(b)[this.line[a]] > a - this.start[this.line[a]]; }
  /** The fewest messages that lead from one event to another: their receives, in order. */
  chain(a, b) {
    const reached = new Float64Array(this.vms.length).fill(Infinity);
    reached[this.line[a]] = a;
    let latest = [[a, this.start[this.line[a] + 1], null]];
    if (this.line[a] === this.line[b]) return [];
    while (latest.length) {
      const next = [];
      for (const [event, before, by] of latest) {
        for (let e = event; e < before; e++) for (const r of this.to[e] || []) {
          const l = this.line[r];
          if (r >= reached[l]) continue;
          const step = [r, Math.min(reached[l], this.start[l + 1]), { receive: r, by }];
          reached[l] = r;
          if (l === this.line[b] && r <= b) {
            const chain = [];
            for (let s = step[2]; s; s = s.by) chain.unshift(s.receive);
            return chain;
          }
          next.push(step);
        }
      }
      latest = next;
    }
    return null;
  }
  /** The largest consistent cut within these numbers of events. */
  consistent(cut) {
    const front = Int32Array.from(cut);
    for (let changed = true; changed;) {
      changed = false;
      for (let l = 0; l < front.length; l++) for (let k = 0; k < front[l]; k++) {
        const send = this.from[this.start[l] + k];
        if (send >= 0 && send - this.start[this.line[send]] >= front[this.line[send]]) { front[l] = k; changed = true; }
      }
    }
    return front;
  }
}

// ---------------------------------------------------------------- small things of the page

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

/** The row of an event as a list of names and values. */
function facts(h, i) {
  const m = h.run.rows[h.line[i]], k = i - h.start[h.line[i]], [lost, twice, payload] = h.rare(i);
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
  if (m.h) add("hybrid", "(" + (h.nanos[i] + m.h[2 * k]).toFixed(0) + ", " + m.h[2 * k + 1] + ")");
  if (h.kind[i] === "s") add("to", h.peers[i].join(", ") || "nobody");
  if (h.kind[i] === "r") add("message", eventName(...h.message[i]) + (h.stamp[i] >= 0 ? ", stamp " + h.stamp[i] : ""));
  if (m.q) add("queue", m.q[k]);
  if (lost.length) add("lost", "to " + lost.join(", "));
  if (twice.length) add("twice", "to " + twice.join(", "));
  if (payload) add("payload", payload);
  return list;
}

const tip = $("#tip");
function showTip(x, y, ...content) {
  tip.replaceChildren(...content);
  tip.hidden = false;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(x + 16, innerWidth - box.width - 8)) + "px";
  tip.style.top = (y + 20 + box.height > innerHeight ? Math.max(4, y - box.height - 12) : y + 18) + "px";
}
const hideTip = () => { tip.hidden = true; };

// ---------------------------------------------------------------- the diagram

class Diagram {
  constructor(root, history) {
    this.root = root; this.h = history;
    // Within reach of the browser's console, for questions that no button asks.
    this.canvas = $(".space", root); this.canvas.diagram = this; this.over = $(".overview", root); this.answer = $(".answer", root);
    const { from, to } = history.run;
    const room = Math.max((to - from) * 0.01, 1e-6);
    this.least = from - (from > 0 ? room : 0); this.most = to + room;
    this.chosen = []; this.focus = -1; this.cut = null; this.path = [];
    this.listen();
    this.first();
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }
  /** Begins with as much as can be told apart. */
  first() {
    const lines = Math.max(1, this.h.vms.length), rate = this.h.count / lines / (this.most - this.least);
    const wide = this.canvas.clientWidth || 900;
    const span = Math.min(this.most - this.least, Math.max((wide / 24) / Math.max(rate, 1e-9), 1e-6));
    this.view = [this.least, this.least + span];
    this.draw();
  }
  get spacing() {
    const n = Math.max(1, this.h.vms.length);
    return Math.max(13, Math.min(66, 520 / n));
  }
  x(time) { return LEFT + (time - this.view[0]) / (this.view[1] - this.view[0]) * (this.width - LEFT - RIGHT); }
  timeAt(x) { return this.view[0] + (x - LEFT) / (this.width - LEFT - RIGHT) * (this.view[1] - this.view[0]); }
  y(line) { return TOP + this.spacing * (line + 0.5); }
  draw() {
    if (this.pending) return;
    this.pending = true;
    requestAnimationFrame(() => { this.pending = false; this.paint(); });
  }
  colours() {
    const style = getComputedStyle(document.documentElement), c = {};
    for (const name of ["ink", "soft", "rule", "paper", "send", "receive", "line", "arrow", "past", "future", "apart", "chosen", "cut"])
      c[name] = style.getPropertyValue("--" + name).trim();
    if (this.printing) Object.assign(c, { ink: "#000", soft: "#444", rule: "#ddd", paper: "#fff", send: "#0072b2",
      receive: "#d55e00", line: "#aaa", arrow: "#888", past: "#8a3ffc", future: "#00846b", apart: "#ccc", chosen: "#000", cut: "#b0006d" });
    return c;
  }
  surface(canvas, height) {
    const wide = this.printing ? 700 : canvas.clientWidth || 900, scale = this.printing ? 3 : window.devicePixelRatio || 1;
    canvas.style.height = height + "px";
    if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(height * scale)) {
      canvas.width = Math.round(wide * scale); canvas.height = Math.round(height * scale);
    }
    const g = canvas.getContext("2d");
    g.setTransform(scale, 0, 0, scale, 0, 0);
    g.clearRect(0, 0, wide, height);
    g.font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
    return [g, wide];
  }
  paint() {
    const height = TOP + this.spacing * Math.max(1, this.h.vms.length) + BOTTOM;
    const [g, wide] = this.surface(this.canvas, height);
    this.width = wide; this.c = this.colours();
    this.axis(g, height);
    g.save(); g.beginPath(); g.rect(LEFT - 7, 0, wide - LEFT - RIGHT + 14, height); g.clip();
    this.arrows(g);
    this.pathLine(g);
    this.dots(g);
    this.cutLine(g, height);
    g.restore();
    this.overview();
  }
  axis(g, height) {
    const c = this.c, span = this.view[1] - this.view[0];
    const raw = span / Math.max(2, (this.width - LEFT) / 90), decade = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((k) => k * decade).find((s) => s >= raw), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    g.textAlign = "center"; g.textBaseline = "alphabetic"; g.lineWidth = 1;
    for (let k = Math.ceil(this.view[0] / step - 1e-9); k * step <= this.view[1]; k++) {
      const x = Math.round(this.x(k * step)) + 0.5;
      if (x < LEFT - 1) continue;
      g.strokeStyle = c.rule; g.beginPath(); g.moveTo(x, TOP - 6); g.lineTo(x, height); g.stroke();
      g.fillStyle = c.soft; g.fillText((k * step).toFixed(digits) + " s", Math.min(x, this.width - RIGHT - 10), 14);
    }
    g.textAlign = "right"; g.textBaseline = "middle";
    const every = Math.ceil(13 / this.spacing);
    for (let l = 0; l < this.h.vms.length; l++) {
      const y = Math.round(this.y(l)) + 0.5;
      g.strokeStyle = c.line; g.beginPath(); g.moveTo(LEFT - 4, y); g.lineTo(this.width - RIGHT + 4, y); g.stroke();
      if (l % every) continue;
      const rate = this.h.run.rates[this.h.vms[l]];
      g.fillStyle = c.ink; g.fillText("VM " + this.h.vms[l], LEFT - 12, this.spacing > 34 && rate ? y - 7 : y);
      if (this.spacing > 34 && rate) { g.fillStyle = c.soft; g.fillText(rate + "/s", LEFT - 12, y + 8); }
    }
  }
  /** What an event is to the chosen one: "past", "future", "apart", "chosen"; nothing where none is chosen. */
  side(i) {
    if (!this.chosen.length) return null;
    if (this.chosen.includes(i)) return "chosen";
    const l = this.h.line[i], k = i - this.h.start[l];
    if (k < this.before[l]) return "past";
    return k >= this.later[l] ? "future" : "apart";
  }
  stroke(g, groups, widths) {
    for (const [name, lines] of Object.entries(groups)) {
      g.strokeStyle = this.c[name]; g.lineWidth = (widths && widths[name]) || 1;
      g.beginPath();
      for (const [x0, y0, x1, y1] of lines) { g.moveTo(x0, y0); g.lineTo(x1, y1); }
      g.stroke();
    }
  }
  arrows(g) {
    const h = this.h, groups = {}, heads = {}, radius = this.radius();
    const push = (name, line) => (groups[name] ||= []).push(line);
    const inCut = (i) => i - h.start[h.line[i]] < this.cut[h.line[i]];
    for (let r = 0; r < h.count; r++) {
      if (h.kind[r] !== "r") continue;
      const s = h.from[r];
      if (s < 0 && h.run.part) this.arrival(h, r, push);
      if (s < 0 || h.time[r] < this.view[0] || h.time[s] > this.view[1]) continue;
      let name = "arrow";
      const a = this.side(s), b = this.side(r);
      if (a) name = (a === "past" || a === "chosen") && (b === "past" || b === "chosen") ? "past"
        : (a === "future" || a === "chosen") && (b === "future" || b === "chosen") ? "future" : "apart";
      if (this.cut && inCut(s) && !inCut(r)) name = "cut";
      const x0 = this.x(h.time[s]), y0 = this.y(h.line[s]), x1 = this.x(h.time[r]), y1 = this.y(h.line[r]);
      const length = Math.hypot(x1 - x0, y1 - y0) || 1, cut = Math.min(radius + 1, length / 2);
      const ux = (x1 - x0) / length, uy = (y1 - y0) / length;
      push(name, [x0, y0, x1 - ux * cut, y1 - uy * cut]);
      if (radius >= 2.5) (heads[name] ||= []).push([x1 - ux * cut, y1 - uy * cut, ux, uy]);
    }
    this.lost(g, push);
    const order = ["apart", "arrow", "past", "future", "cut"], sorted = {};
    for (const name of order) if (groups[name]) sorted[name] = groups[name];
    const dense = h.count * (this.view[1] - this.view[0]) / (this.most - this.least) > 4000;
    this.stroke(g, sorted, { arrow: dense ? 0.5 : 1, past: 1.4, future: 1.4, cut: 2, apart: 0.8 });
    const size = Math.min(7, radius + 2.5);
    for (const [name, list] of Object.entries(heads)) {
      g.fillStyle = this.c[name]; g.beginPath();
      for (const [x, y, ux, uy] of list) {
        g.moveTo(x, y);
        g.lineTo(x - ux * size - uy * size * 0.45, y - uy * size + ux * size * 0.45);
        g.lineTo(x - ux * size + uy * size * 0.45, y - uy * size - ux * size * 0.45);
      }
      g.fill();
    }
  }
  /** A message whose send is not here comes out of nowhere. */
  arrival(h, r, push) {
    if (h.time[r] < this.view[0] || h.time[r] > this.view[1]) return;
    const x = this.x(h.time[r]), y = this.y(h.line[r]), far = Math.min(this.spacing * 0.55, 26);
    push("arrow", [x - far * 0.5, y - far, x, y]);
  }
  /** Lost messages end in a cross on their way. */
  lost(g, push) {
    const h = this.h;
    g.strokeStyle = this.c.receive; g.lineWidth = 1.5;
    h.run.rows.forEach((m, l) => {
      for (const k of Object.keys(m.x)) {
        const i = h.start[l] + Number(k);
        if (h.time[i] < this.view[0] || h.time[i] > this.view[1]) continue;
        for (const vm of m.x[k][0]) {
          const x = this.x(h.time[i]), y = this.y(l), other = h.byVm.get(vm);
          const down = other === undefined || other > l ? 1 : -1;
          const far = Math.min(this.spacing * 0.55, 26), x1 = x + far * 0.5, y1 = y + down * far;
          push("arrow", [x, y, x1, y1]);
          g.beginPath(); g.moveTo(x1 - 3, y1 - 3); g.lineTo(x1 + 3, y1 + 3); g.moveTo(x1 + 3, y1 - 3); g.lineTo(x1 - 3, y1 + 3); g.stroke();
        }
      }
    });
  }
  radius() {
    const rate = this.h.count / Math.max(1, this.h.vms.length) / (this.most - this.least);
    const between = (this.width - LEFT - RIGHT) / Math.max(1e-9, rate * (this.view[1] - this.view[0]));
    return Math.max(1.2, Math.min(5, between / 3, this.spacing / 4));
  }
  dots(g) {
    const h = this.h, c = this.c, radius = this.radius(), groups = {};
    let count = 0;
    for (let l = 0; l < h.vms.length; l++) {
      const end = h.after(l, this.view[1] + 1e-9);
      for (let i = h.after(l, this.view[0] - 1e-9); i < end; i++) {
        const side = this.side(i), name = side || { i: "internal", s: "send", r: "receive" }[h.kind[i]];
        (groups[name + (side && h.kind[i] === "i" ? " open" : "")] ||= []).push(i);
        count++;
      }
    }
    for (const [group, list] of Object.entries(groups)) {
      const [name, open] = group.split(" "), hollow = name === "internal" || open;
      const colour = name === "internal" ? c.soft : c[name];
      const fill = hollow && radius >= 2.2 ? c.paper : colour;
      if (count > MANY) { this.blocks(g, list, radius, fill, colour); continue; }
      g.beginPath();
      for (const i of list) this.dot(g, this.x(h.time[i]), this.y(h.line[i]), radius);
      g.fillStyle = fill; g.fill();
      if (fill !== colour) { g.strokeStyle = colour; g.lineWidth = 1.3; g.stroke(); }
    }
    for (const i of this.chosen) this.ring(g, i, radius + 3.5, c.chosen, 2.2);
    if (this.focus >= 0) this.ring(g, this.focus, radius + 6, c.soft, 1.2);
    if (radius >= 2.5 && this.spacing > 34) this.clocks(g);
  }
  dot(g, x, y, radius) { g.moveTo(x + radius, y); g.arc(x, y, radius, 0, 7); }
  /** Many dots, each of a few rectangles, which are painted several times as fast as circles. */
  blocks(g, list, radius, fill, colour) {
    const h = this.h, size = Math.max(2, Math.round(2 * radius)), corner = size > 3 ? 1 : 0;
    g.fillStyle = colour;
    const block = (i, inset) => {
      const x = Math.round(this.x(h.time[i]) - size / 2) + inset, y = Math.round(this.y(h.line[i]) - size / 2) + inset, side = size - 2 * inset;
      g.fillRect(x + corner, y, side - 2 * corner, side);
      if (corner) g.fillRect(x, y + corner, side, side - 2 * corner);
    };
    for (const i of list) block(i, 0);
    if (fill === colour || size < 5) return;
    g.fillStyle = fill;
    for (const i of list) block(i, 1);
  }
  /** Lamport clocks above the dots, as far as there is room for them; those of messages come first. */
  clocks(g) {
    const h = this.h;
    // A rim in the page's colour keeps them readable on arrows.
    g.strokeStyle = this.c.paper; g.lineWidth = 3; g.lineJoin = "round";
    g.fillStyle = this.c.ink; g.textAlign = "left"; g.textBaseline = "alphabetic";
    for (let l = 0; l < h.vms.length; l++) {
      const first = h.after(l, this.view[0] - 1e-9), end = h.after(l, this.view[1] + 1e-9), taken = [];
      for (const isFirst of [true, false]) for (let i = first; i < end; i++) {
        if ((h.kind[i] !== "i") !== isFirst) continue;
        // Beside the dot on the right, since arrows come in from the left.
        const x = this.x(h.time[i]) + 2, end = x + String(h.lamport[i]).length * 7.4 + 2;
        if (taken[Math.round(x) >> 2] || taken[Math.round((x + end) / 2) >> 2] || taken[Math.round(end) >> 2]) continue;
        for (let slot = Math.round(x) >> 2; slot <= Math.round(end) >> 2; slot++) taken[slot] = true;
        g.strokeText(h.lamport[i], x, this.y(l) - 8); g.fillText(h.lamport[i], x, this.y(l) - 8);
      }
    }
  }
  ring(g, i, radius, colour, wide) {
    g.strokeStyle = colour; g.lineWidth = wide;
    g.beginPath(); g.arc(this.x(this.h.time[i]), this.y(this.h.line[i]), radius, 0, 7); g.stroke();
  }
  pathLine(g) {
    if (!this.path.length) return;
    g.strokeStyle = this.c.chosen; g.lineWidth = 3; g.lineJoin = "round";
    g.beginPath();
    this.path.forEach((i, k) => {
      const x = this.x(this.h.time[i]), y = this.y(this.h.line[i]);
      if (k) g.lineTo(x, y); else g.moveTo(x, y);
    });
    g.stroke();
  }
  cutLine(g, height) {
    if (!this.cut) return;
    const h = this.h;
    g.strokeStyle = this.c.cut; g.lineWidth = 2; g.setLineDash([6, 4]); g.beginPath();
    for (let l = 0; l < h.vms.length; l++) {
      const last = h.start[l] + this.cut[l] - 1;
      const a = this.cut[l] > 0 ? h.time[last] : this.least, b = last + 1 < h.start[l + 1] ? h.time[last + 1] : this.most;
      const time = this.cutTime !== null && a <= this.cutTime && this.cutTime <= b ? this.cutTime : (a + b) / 2;
      const x = this.x(time), y = this.y(l);
      if (l === 0) g.moveTo(x, TOP - 8);
      g.lineTo(x, y - this.spacing * 0.25); g.lineTo(x, y + this.spacing * 0.25);
      if (l + 1 === h.vms.length) g.lineTo(x, height);
    }
    g.stroke(); g.setLineDash([]);
  }
  overview() {
    const [g, wide] = this.surface(this.over, 34), h = this.h, c = this.c;
    const x = (time) => LEFT + (time - this.least) / (this.most - this.least) * (wide - LEFT - RIGHT);
    const slots = Math.max(10, Math.floor((wide - LEFT - RIGHT) / 3)), counts = new Float64Array(slots);
    if (!this.density || this.density.length !== slots) {
      for (let i = 0; i < h.count; i++) {
        const slot = Math.floor((h.time[i] - this.least) / (this.most - this.least) * slots);
        counts[Math.max(0, Math.min(slots - 1, slot))]++;
      }
      this.density = counts;
    }
    const most = this.density.reduce((a, b) => Math.max(a, b), 1);
    g.fillStyle = c.line;
    this.density.forEach((n, k) => {
      const tall = n / most * 24;
      g.fillRect(LEFT + k * (wide - LEFT - RIGHT) / slots, 30 - tall, 2, tall);
    });
    g.fillStyle = c.soft; g.textAlign = "right"; g.textBaseline = "middle"; g.fillText("all", LEFT - 12, 20);
    const a = x(this.view[0]), b = Math.max(x(this.view[1]), a + 4);
    g.globalAlpha = 0.18; g.fillStyle = c.send; g.fillRect(a, 2, b - a, 30); g.globalAlpha = 1;
    g.strokeStyle = c.send; g.lineWidth = 1.5; g.strokeRect(a, 2, b - a, 30);
  }

  // ------------------------------------------------------------ moving

  show(from, span) {
    const whole = this.most - this.least;
    span = Math.min(whole, Math.max(span, 1e-6, whole * 1e-6));
    from = Math.max(this.least, Math.min(from, this.most - span));
    this.view = [from, from + span];
    this.draw();
  }
  zoom(factor, at = (this.view[0] + this.view[1]) / 2) {
    const span = (this.view[1] - this.view[0]) * factor;
    this.show(at - (at - this.view[0]) * factor, span);
  }
  pan(share) { const span = this.view[1] - this.view[0]; this.show(this.view[0] + share * span, span); }
  reveal(i) {
    const span = this.view[1] - this.view[0], time = this.h.time[i];
    if (time < this.view[0] + span * 0.03 || time > this.view[1] - span * 0.03) this.show(time - span / 2, span);
    else this.draw();
  }

  // ------------------------------------------------------------ asking

  at(x, y) {
    const l = Math.round((y - TOP) / this.spacing - 0.5), h = this.h;
    if (l < 0 || l >= h.vms.length || Math.abs(this.y(l) - y) > Math.max(NEAR, this.spacing / 2)) return -1;
    const next = h.after(l, this.timeAt(x));
    let best = -1, least = NEAR;
    for (const i of [next - 1, next]) if (i >= h.start[l] && i < h.start[l + 1]) {
      const far = Math.abs(this.x(h.time[i]) - x);
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
    if (a !== undefined) { this.before = h.past(a); this.later = h.future(a); }
    if (b !== undefined) this.tellOrder(a, b);
    else if (a !== undefined) this.tellPast(a);
    this.remember();
    this.draw();
  }
  /** A page that does not have all rows says so. */
  caution() {
    if (this.h.run.whole) return "";
    if (this.h.run.part) return " This page is of a part of the run: what leads through logs that are not here is not counted.";
    return this.h.run.causes ? " Future and concurrent events are those that this page has the rows of."
      : " This page has not all rows of the run: what leads through others is not counted.";
  }
  tellPast(a) {
    const h = this.h, name = h.name(a), sum = (f) => h.vms.reduce((n, _, l) => n + f(l), 0);
    const past = sum((l) => this.before[l]), future = sum((l) => h.start[l + 1] - h.start[l] - this.later[l]);
    const front = [];
    h.vms.forEach((vm, l) => { if (this.before[l]) front.push(eventName(vm, h.number[h.start[l] + this.before[l] - 1])); });
    this.answer.dataset.event = name; this.answer.dataset.past = past; this.answer.dataset.future = future;
    this.answer.dataset.front = front.join(" ");
    const reach = front.length > 24 ? front.slice(0, 24).join(", ") + " and others" : front.join(", ");
    this.answer.append(
      element("p", name + ": " + past + " events in its causal past, " + future + " in its future, itself in both; "
        + (h.count - past - future + 1) + " concurrent.", "big"),
      element("p", "Its past reaches up to " + reach + "." + this.caution()), facts(h, a));
  }
  tellOrder(a, b) {
    const h = this.h, ba = h.knows(b, a), ab = h.knows(a, b);
    const before = h.isBefore(a, b) || ba === true, after = !before && (h.isBefore(b, a) || ab === true);
    // A page that does not have all causes of its events tells for certain what their vectors tell.
    const certain = h.run.whole || h.run.causes || (ba === false && ab === false);
    const [from, to] = after ? [b, a] : [a, b], word = before ? "before" : after ? "after" : certain ? "concurrent" : "unknown";
    this.answer.dataset.order = word;
    const big = word === "concurrent" ? h.name(a) + " and " + h.name(b) + " are concurrent."
      : word === "unknown" ? "How " + h.name(a) + " and " + h.name(b) + " are ordered depends on events that are not here."
      : h.name(a) + " happened " + word + " " + h.name(b) + ".";
    this.answer.append(element("p", big, "big"));
    const chain = h.chain(from, to);
    if (word === "concurrent" || word === "unknown") {
      this.answer.append(element("p", "No chain of messages leads from one to the other." + this.caution()));
    } else if (!chain) {
      this.answer.append(element("p", "So their vectors say. The messages between them are not all on this page."));
    } else {
      this.path = [from];
      for (const r of chain) this.path.push(h.from[r], r);
      this.path.push(to);
      const steps = chain.map((r) => h.name(h.from[r]) + " was received by " + h.name(r));
      this.answer.dataset.chain = chain.map((r) => h.name(h.from[r]) + ">" + h.name(r)).join(" ");
      this.answer.append(element("p", chain.length === 0 ? "Both are of one machine, which has them in this order."
        : "A shortest chain has " + chain.length + (chain.length === 1 ? " message: " : " messages: ") + steps.join("; ") + "."));
    }
    const rows = element("div", undefined, "rows");
    for (const i of [a, b]) { const box = element("div"); box.append(element("b", h.name(i)), facts(h, i)); rows.append(box); }
    this.answer.append(rows);
  }
  /** Clocks that are not of one kind of time make cuts of time inconsistent: what is received too early is left out. */
  moveCut() {
    const on = $(".cut-on", this.root).checked, slider = $(".cut-at", this.root), by = $(".cut-by", this.root).value, h = this.h;
    slider.disabled = !on;
    const note = $(".cut-note", this.root) || this.answer.insertAdjacentElement("beforebegin", element("p", "", "cut-note sub"));
    if (!on) { this.cut = null; note.textContent = ""; this.draw(); return; }
    const share = slider.value / 1000;
    let cut;
    if (by === "time") {
      this.cutTime = this.least + share * (this.most - this.least);
      cut = h.vms.map((_, l) => h.after(l, this.cutTime) - h.start[l]);
    } else {
      const most = h.lamport.reduce((a, b) => Math.max(a, b), 0), least = h.lamport.reduce((a, b) => Math.min(a, b), most);
      this.cutTime = null; this.cutClock = Math.round(least + share * (most - least));
      cut = h.vms.map((_, l) => { let k = 0; while (h.start[l] + k < h.start[l + 1] && h.lamport[h.start[l] + k] <= this.cutClock) k++; return k; });
    }
    this.cut = h.consistent(cut);
    let crossing = 0;
    for (let r = 0; r < h.count; r++) {
      const s = h.from[r];
      if (s >= 0 && s - h.start[h.line[s]] < this.cut[h.line[s]] && r - h.start[h.line[r]] >= this.cut[h.line[r]]) crossing++;
    }
    const last = [];
    h.vms.forEach((vm, l) => { if (this.cut[l]) last.push(eventName(vm, h.number[h.start[l] + this.cut[l] - 1])); });
    const where = by === "time" ? "at " + this.cutTime.toFixed(3) + " s" : "at Lamport clock " + this.cutClock;
    note.dataset.cut = last.join(",");
    note.textContent = "A consistent cut " + where + ": up to " + (last.length > 24 ? last.slice(0, 24).join(", ") + " and others" : last.join(", ") || "nothing")
      + "; " + crossing + (crossing === 1 ? " message crosses" : " messages cross") + " it, sent and not yet received.";
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
      $(".cut-at", this.root).value = 1000 * (Number(value) - this.least) / (this.most - this.least);
      this.moveCut();
      return;
    }
    const found = value.split(",").map((name) => this.h.find(name)).filter((i) => i >= 0).slice(0, 2);
    if ((key !== "event" && key !== "order") || !found.length) return;
    this.chosen = found;
    this.tell();
    const times = found.map((i) => this.h.time[i]), from = Math.min(...times), far = Math.max(...times) - from;
    if (far > (this.view[1] - this.view[0]) * 0.9) this.show(from - far * 0.08, far * 1.16);
    else this.show(from + far / 2 - (this.view[1] - this.view[0]) / 2, this.view[1] - this.view[0]);
  }

  // ------------------------------------------------------------ hands

  listen() {
    const canvas = this.canvas, place = (e) => { const box = canvas.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top]; };
    const fingers = new Map();
    let moved = 0, spread = 0;
    canvas.addEventListener("pointerdown", (e) => { fingers.set(e.pointerId, e); moved = 0; spread = 0; canvas.setPointerCapture(e.pointerId); });
    canvas.addEventListener("pointermove", (e) => {
      const before = fingers.get(e.pointerId);
      if (!before) { this.hover(e, ...place(e)); return; }
      fingers.set(e.pointerId, e);
      moved += Math.abs(e.clientX - before.clientX) + Math.abs(e.clientY - before.clientY);
      if (fingers.size === 2) {
        const [a, b] = [...fingers.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
        if (spread && now) this.zoom(spread / now, this.timeAt((a.clientX + b.clientX) / 2 - canvas.getBoundingClientRect().left));
        spread = now;
      } else if (moved > 4) {
        hideTip();
        this.pan(-(e.clientX - before.clientX) / (this.width - LEFT - RIGHT));
      }
    });
    const up = (e) => {
      if (fingers.delete(e.pointerId) && e.type === "pointerup" && moved <= 4) { const i = this.at(...place(e)); if (i >= 0) { this.focus = -1; this.choose(i); } }
      spread = 0;
    };
    canvas.addEventListener("pointerup", up); canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", hideTip);
    canvas.addEventListener("wheel", (e) => {
      if (e.ctrlKey || e.metaKey) { e.preventDefault(); this.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150), this.timeAt(place(e)[0])); }
      else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) { e.preventDefault(); this.pan((e.deltaX || e.deltaY) / 1000); }
    }, { passive: false });
    canvas.addEventListener("keydown", (e) => this.key(e));
    canvas.addEventListener("blur", () => { this.focus = -1; hideTip(); this.draw(); });
    const drag = (e) => {
      if (e.type === "pointermove" && !e.buttons) return;
      const box = this.over.getBoundingClientRect(), span = this.view[1] - this.view[0];
      const time = this.least + (e.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT) * (this.most - this.least);
      this.show(time - span / 2, span);
    };
    this.over.addEventListener("pointerdown", (e) => { this.over.setPointerCapture(e.pointerId); drag(e); });
    this.over.addEventListener("pointermove", drag);
    const doing = { in: () => this.zoom(0.6), out: () => this.zoom(1 / 0.6), all: () => this.show(this.least, Infinity),
      left: () => this.pan(-0.4), right: () => this.pan(0.4), clear: () => this.clear() };
    for (const button of all("[data-do]", this.root)) button.addEventListener("click", doing[button.dataset.do]);
    for (const input of all(".cut-on, .cut-at, .cut-by", this.root)) input.addEventListener("input", () => this.moveCut());
  }
  hover(e, x, y) {
    const i = this.at(x, y);
    this.canvas.classList.toggle("on", i >= 0);
    if (i < 0) { hideTip(); return; }
    showTip(e.clientX, e.clientY, element("b", "Event " + this.h.name(i)), facts(this.h, i));
  }
  key(e) {
    const h = this.h, i = this.focus;
    const begin = () => { for (let l = 0; l < h.vms.length; l++) { const k = h.after(l, this.view[0]); if (k < h.start[l + 1]) return k; } return -1; };
    let to = i;
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "ArrowRight") to = i < 0 ? begin() : Math.min(i + 1, h.start[h.line[i] + 1] - 1);
    else if (e.key === "ArrowLeft") to = i < 0 ? begin() : Math.max(i - 1, h.start[h.line[i]]);
    else if (e.key === "ArrowUp" || e.key === "ArrowDown") {
      const l = i < 0 ? 0 : Math.max(0, Math.min(h.vms.length - 1, h.line[i] + (e.key === "ArrowUp" ? -1 : 1)));
      to = i < 0 ? begin() : Math.min(h.after(l, h.time[i]), h.start[l + 1] - 1);
    } else if (e.key === "Enter" || e.key === " ") this.choose(i);
    else if (e.key === "+" || e.key === "=") this.zoom(0.6);
    else if (e.key === "-") this.zoom(1 / 0.6);
    else if (e.key === "0") this.show(this.least, Infinity);
    else if (e.key === "Home") this.show(this.least, this.view[1] - this.view[0]);
    else if (e.key === "End") this.show(this.most, this.view[1] - this.view[0]);
    else if (e.key === "Escape") { this.clear(); hideTip(); } else return;
    e.preventDefault();
    if (to !== i && to >= 0) {
      this.focus = to;
      this.reveal(to);
      const box = this.canvas.getBoundingClientRect();
      requestAnimationFrame(() => showTip(box.left + this.x(h.time[to]), box.top + this.y(h.line[to]), element("b", "Event " + h.name(to)), facts(h, to)));
    }
  }
}

// ---------------------------------------------------------------- values in the pictures

function liven(svg) {
  const [left, right, top, bottom] = svg.dataset.frame.split(",").map(Number), [least, most] = svg.dataset.x.split(",").map(Number);
  const values = JSON.parse(svg.dataset.values), hair = document.createElementNS(svg.namespaceURI, "path");
  hair.setAttribute("class", "axis"); hair.setAttribute("visibility", "hidden");
  svg.append(hair);
  svg.addEventListener("pointermove", (e) => {
    const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width, x = (e.clientX - box.left) * scale;
    const value = least + (x - left) / (right - left) * (most - least);
    const count = Math.max(0, ...values.series.map(([, column]) => column.length));
    const index = Math.min(count - 1, Math.max(0, Math.round((value - values.first) / values.step)));
    if (x < left - 6 || x > right + 6 || !count) { leave(); return; }
    const at = values.first + index * values.step, mark = left + (at - least) / (most - least) * (right - left);
    hair.setAttribute("d", "M" + mark.toFixed(1) + " " + top + "V" + bottom); hair.setAttribute("visibility", "visible");
    const list = element("dl", undefined, "facts");
    for (const [name, column] of values.series) if (index < column.length) list.append(element("dt", name), element("dd", plain(column[index])));
    showTip(e.clientX, e.clientY, element("b", values.unit ? at.toFixed(2) + " " + values.unit : "event " + at), list);
  });
  const leave = () => { hair.setAttribute("visibility", "hidden"); hideTip(); };
  svg.addEventListener("pointerleave", leave);
}

// ---------------------------------------------------------------- the start

const diagrams = [];
function open(section, index) {
  if (diagrams[index]) return;
  const diagram = new Diagram($(".diagram", section), new History(JSON.parse($(".data", section).textContent)));
  diagrams[index] = diagram;
  diagram.index = index;
}
all("svg[data-values]").forEach(liven);
const runs = all("section.run");
const pick = (index) => {
  runs.forEach((section, k) => { section.hidden = k !== index; });
  if (runs[index]) open(runs[index], index);
};
const chooser = $(".chooser select");
if (chooser) chooser.addEventListener("input", () => { pick(Number(chooser.value)); diagrams[chooser.value].remember(); });
/** An address such as #run=2&event=vm0-17. */
function recall() {
  const asked = new Map(decodeURIComponent(location.hash.slice(1)).split("&").map((part) => part.split("=")));
  const index = Math.max(0, Math.min(runs.length - 1, (Number(asked.get("run")) || 1) - 1));
  pick(index);
  if (chooser) chooser.value = index;
  asked.delete("run");
  for (const [key, value] of asked) if (value && diagrams[index]) diagrams[index].recall(key, value);
}
recall();
addEventListener("hashchange", recall);
for (const button of all(".copy")) button.addEventListener("click", () => {
  const code = $("code", button.parentNode), range = document.createRange();
  range.selectNodeContents(code);
  getSelection().removeAllRanges(); getSelection().addRange(range);
  if (navigator.clipboard) navigator.clipboard.writeText(code.textContent).then(() => { button.textContent = "Copied"; }, () => {});
});
addEventListener("scroll", hideTip, { passive: true });
const printing = (on) => diagrams.forEach((d) => { if (d) { d.printing = on; d.paint(); } });
addEventListener("beforeprint", () => printing(true));
addEventListener("afterprint", () => printing(false));
})();
