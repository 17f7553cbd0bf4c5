// Paints the space-time diagram: lines of machines, dots of events, arrows of messages, and what was asked of them.

import { colours, surface } from "./surface.js";
import { BOTTOM, LEFT, RIGHT, TOP } from "./viewport.js";

/** More dots than that are painted as blocks. */
const MANY = 1500;

export function paint(d) {
  const height = TOP + d.port.spacing * Math.max(1, d.h.vms.length) + BOTTOM;
  const [g, wide] = surface(d, d.canvas, height);
  d.port.width = wide; d.c = colours(d);
  axis(d, g, height);
  g.save(); g.beginPath(); g.rect(LEFT - 7, 0, wide - LEFT - RIGHT + 14, height); g.clip();
  arrows(d, g);
  pathLine(d, g);
  dots(d, g);
  cutLine(d, g, height);
  g.restore();
}

function axis(d, g, height) {
  const c = d.c, span = d.port.view[1] - d.port.view[0];
  const raw = span / Math.max(2, (d.port.width - LEFT) / 90), decade = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * decade).find((s) => s >= raw), digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  g.textAlign = "center"; g.textBaseline = "alphabetic"; g.lineWidth = 1;
  for (let k = Math.ceil(d.port.view[0] / step - 1e-9); k * step <= d.port.view[1]; k++) {
    const x = Math.round(d.port.x(k * step)) + 0.5;
    if (x < LEFT - 1) continue;
    g.strokeStyle = c.rule; g.beginPath(); g.moveTo(x, TOP - 6); g.lineTo(x, height); g.stroke();
    g.fillStyle = c.soft; g.fillText((k * step).toFixed(digits) + " s", Math.min(x, d.port.width - RIGHT - 10), 14);
  }
  g.textAlign = "right"; g.textBaseline = "middle";
  const every = Math.ceil(13 / d.port.spacing);
  for (let l = 0; l < d.h.vms.length; l++) {
    const y = Math.round(d.port.y(l)) + 0.5;
    g.strokeStyle = c.line; g.beginPath(); g.moveTo(LEFT - 4, y); g.lineTo(d.port.width - RIGHT + 4, y); g.stroke();
    outages(d, g, l, y);
    if (l % every) continue;
    const rate = d.h.run.rates[d.h.vms[l]];
    g.fillStyle = c.ink; g.fillText("VM " + d.h.vms[l], LEFT - 12, d.port.spacing > 34 && rate ? y - 7 : y);
    if (d.port.spacing > 34 && rate) { g.fillStyle = c.soft; g.fillText(rate + "/s", LEFT - 12, y + 8); }
  }
}

/** A bar on a machine's line where it is down. */
function outages(d, g, l, y) {
  for (const [from, to] of d.h.run.down[d.h.vms[l]] || []) {
    const left = Math.max(LEFT - 4, d.port.x(from)), right = Math.min(d.port.width - RIGHT + 4, d.port.x(to));
    if (left >= right) continue;
    g.save(); g.globalAlpha = 0.3; g.fillStyle = d.c.soft;
    g.fillRect(left, y - 7, right - left, 14);
    g.restore();
  }
}

function stroke(d, g, groups, widths) {
  for (const [name, lines] of Object.entries(groups)) {
    g.strokeStyle = d.c[name]; g.lineWidth = (widths && widths[name]) || 1;
    g.beginPath();
    for (const [x0, y0, x1, y1] of lines) { g.moveTo(x0, y0); g.lineTo(x1, y1); }
    g.stroke();
  }
}

function arrows(d, g) {
  const h = d.h, groups = {}, heads = {}, radius = d.port.radius();
  const push = (name, line) => (groups[name] ||= []).push(line);
  const inCut = (i) => i - h.start[h.line[i]] < d.cut[h.line[i]];
  for (let r = 0; r < h.count; r++) {
    if (h.kind[r] !== "r") continue;
    const s = h.from[r];
    if (s < 0 && h.run.part) arrival(d, h, r, push);
    if (s < 0 || h.time[r] < d.port.view[0] || h.time[s] > d.port.view[1]) continue;
    let name = "arrow";
    const a = d.side(s), b = d.side(r);
    if (a) name = (a === "past" || a === "chosen") && (b === "past" || b === "chosen") ? "past"
      : (a === "future" || a === "chosen") && (b === "future" || b === "chosen") ? "future" : "apart";
    if (d.cut && inCut(s) && !inCut(r)) name = "cut";
    const x0 = d.port.x(h.time[s]), y0 = d.port.y(h.line[s]), x1 = d.port.x(h.time[r]), y1 = d.port.y(h.line[r]);
    const length = Math.hypot(x1 - x0, y1 - y0) || 1, cut = Math.min(radius + 1, length / 2);
    const ux = (x1 - x0) / length, uy = (y1 - y0) / length;
    push(name, [x0, y0, x1 - ux * cut, y1 - uy * cut]);
    if (radius >= 2.5) (heads[name] ||= []).push([x1 - ux * cut, y1 - uy * cut, ux, uy]);
  }
  lost(d, g, push);
  const order = ["apart", "arrow", "past", "future", "cut"], sorted = {};
  for (const name of order) if (groups[name]) sorted[name] = groups[name];
  const dense = h.count * (d.port.view[1] - d.port.view[0]) / (d.port.most - d.port.least) > 4000;
  stroke(d, g, sorted, { arrow: dense ? 0.5 : 1, past: 1.4, future: 1.4, cut: 2, apart: 0.8 });
  const size = Math.min(7, radius + 2.5);
  for (const [name, list] of Object.entries(heads)) {
    g.fillStyle = d.c[name]; g.beginPath();
    for (const [x, y, ux, uy] of list) {
      g.moveTo(x, y);
      g.lineTo(x - ux * size - uy * size * 0.45, y - uy * size + ux * size * 0.45);
      g.lineTo(x - ux * size + uy * size * 0.45, y - uy * size - ux * size * 0.45);
    }
    g.fill();
  }
}

/** A message whose send is not here comes out of nowhere. */
function arrival(d, h, r, push) {
  if (h.time[r] < d.port.view[0] || h.time[r] > d.port.view[1]) return;
  const x = d.port.x(h.time[r]), y = d.port.y(h.line[r]), far = Math.min(d.port.spacing * 0.55, 26);
  push("arrow", [x - far * 0.5, y - far, x, y]);
}

/** Lost messages end in a cross on their way. */
function lost(d, g, push) {
  const h = d.h;
  g.strokeStyle = d.c.receive; g.lineWidth = 1.5;
  h.run.rows.forEach((m, l) => {
    for (const k of Object.keys(m.x)) {
      const i = h.start[l] + Number(k);
      if (h.time[i] < d.port.view[0] || h.time[i] > d.port.view[1]) continue;
      for (const vm of m.x[k][0]) {
        const x = d.port.x(h.time[i]), y = d.port.y(l), other = h.byVm.get(vm);
        const down = other === undefined || other > l ? 1 : -1;
        const far = Math.min(d.port.spacing * 0.55, 26), x1 = x + far * 0.5, y1 = y + down * far;
        push("arrow", [x, y, x1, y1]);
        g.beginPath(); g.moveTo(x1 - 3, y1 - 3); g.lineTo(x1 + 3, y1 + 3); g.moveTo(x1 + 3, y1 - 3); g.lineTo(x1 - 3, y1 + 3); g.stroke();
      }
    }
  });
}

function dots(d, g) {
  const h = d.h, c = d.c, radius = d.port.radius(), groups = {};
  let count = 0;
  for (let l = 0; l < h.vms.length; l++) {
    const end = h.after(l, d.port.view[1] + 1e-9);
    for (let i = h.after(l, d.port.view[0] - 1e-9); i < end; i++) {
      const side = d.side(i), name = side || { i: "internal", s: "send", r: "receive" }[h.kind[i]];
      (groups[name + (side && h.kind[i] === "i" ? " open" : "")] ||= []).push(i);
      count++;
    }
  }
  for (const [group, list] of Object.entries(groups)) {
    const [name, open] = group.split(" "), hollow = name === "internal" || open;
    const colour = name === "internal" ? c.soft : c[name];
    const fill = hollow && radius >= 2.2 ? c.paper : colour;
    if (count > MANY) { blocks(d, g, list, radius, fill, colour); continue; }
    g.beginPath();
    for (const i of list) dot(g, d.port.x(h.time[i]), d.port.y(h.line[i]), radius);
    g.fillStyle = fill; g.fill();
    if (fill !== colour) { g.strokeStyle = colour; g.lineWidth = 1.3; g.stroke(); }
  }
  for (const i of d.chosen) ring(d, g, i, radius + 3.5, c.chosen, 2.2);
  if (d.focus >= 0) ring(d, g, d.focus, radius + 6, c.soft, 1.2);
  if (radius >= 2.5 && d.port.spacing > 34) clocks(d, g);
}

function dot(g, x, y, radius) { g.moveTo(x + radius, y); g.arc(x, y, radius, 0, 7); }

/** Many dots, each of a few rectangles, which are painted several times as fast as circles. */
function blocks(d, g, list, radius, fill, colour) {
  const h = d.h, size = Math.max(2, Math.round(2 * radius)), corner = size > 3 ? 1 : 0;
  g.fillStyle = colour;
  const block = (i, inset) => {
    const x = Math.round(d.port.x(h.time[i]) - size / 2) + inset, y = Math.round(d.port.y(h.line[i]) - size / 2) + inset, side = size - 2 * inset;
    g.fillRect(x + corner, y, side - 2 * corner, side);
    if (corner) g.fillRect(x, y + corner, side, side - 2 * corner);
  };
  for (const i of list) block(i, 0);
  if (fill === colour || size < 5) return;
  g.fillStyle = fill;
  for (const i of list) block(i, 1);
}

/** Lamport clocks above the dots, as far as there is room for them; those of messages come first. */
function clocks(d, g) {
  const h = d.h;
  // A rim in the page's colour keeps them readable on arrows.
  g.strokeStyle = d.c.paper; g.lineWidth = 3; g.lineJoin = "round";
  g.fillStyle = d.c.ink; g.textAlign = "left"; g.textBaseline = "alphabetic";
  for (let l = 0; l < h.vms.length; l++) {
    const first = h.after(l, d.port.view[0] - 1e-9), end = h.after(l, d.port.view[1] + 1e-9), taken = [];
    for (const isFirst of [true, false]) for (let i = first; i < end; i++) {
      if ((h.kind[i] !== "i") !== isFirst) continue;
      // Beside the dot on the right, since arrows come in from the left.
      const x = d.port.x(h.time[i]) + 2, end = x + String(h.lamport[i]).length * 7.4 + 2;
      if (taken[Math.round(x) >> 2] || taken[Math.round((x + end) / 2) >> 2] || taken[Math.round(end) >> 2]) continue;
      for (let slot = Math.round(x) >> 2; slot <= Math.round(end) >> 2; slot++) taken[slot] = true;
      g.strokeText(h.lamport[i], x, d.port.y(l) - 8); g.fillText(h.lamport[i], x, d.port.y(l) - 8);
    }
  }
}

function ring(d, g, i, radius, colour, wide) {
  g.strokeStyle = colour; g.lineWidth = wide;
  g.beginPath(); g.arc(d.port.x(d.h.time[i]), d.port.y(d.h.line[i]), radius, 0, 7); g.stroke();
}

function pathLine(d, g) {
  if (!d.path.length) return;
  g.strokeStyle = d.c.chosen; g.lineWidth = 3; g.lineJoin = "round";
  g.beginPath();
  d.path.forEach((i, k) => {
    const x = d.port.x(d.h.time[i]), y = d.port.y(d.h.line[i]);
    if (k) g.lineTo(x, y); else g.moveTo(x, y);
  });
  g.stroke();
}

function cutLine(d, g, height) {
  if (!d.cut) return;
  const h = d.h;
  g.strokeStyle = d.c.cut; g.lineWidth = 2; g.setLineDash([6, 4]); g.beginPath();
  for (let l = 0; l < h.vms.length; l++) {
    const last = h.start[l] + d.cut[l] - 1;
    const a = d.cut[l] > 0 ? h.time[last] : d.port.least, b = last + 1 < h.start[l + 1] ? h.time[last + 1] : d.port.most;
    const time = d.cutTime !== null && a <= d.cutTime && d.cutTime <= b ? d.cutTime : (a + b) / 2;
    const x = d.port.x(time), y = d.port.y(l);
    if (l === 0) g.moveTo(x, TOP - 8);
    g.lineTo(x, y - d.port.spacing * 0.25); g.lineTo(x, y + d.port.spacing * 0.25);
    if (l + 1 === h.vms.length) g.lineTo(x, height);
  }
  g.stroke(); g.setLineDash([]);
}
