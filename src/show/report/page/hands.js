// What hands do: pointers, fingers, wheels and keys.

import { all, element, facts, hideTip, showTip } from "./elements.js";
import { LEFT, RIGHT } from "./viewport.js";
import { moveCut } from "./cut.js";

export function listen(d) {
  const canvas = d.canvas, place = (e) => { const box = canvas.getBoundingClientRect(); return [e.clientX - box.left, e.clientY - box.top]; };
  const fingers = new Map();
  let moved = 0, spread = 0;
  canvas.addEventListener("pointerdown", (e) => { fingers.set(e.pointerId, e); moved = 0; spread = 0; canvas.setPointerCapture(e.pointerId); });
  canvas.addEventListener("pointermove", (e) => {
    const before = fingers.get(e.pointerId);
    if (!before) { hover(d, e, ...place(e)); return; }
    fingers.set(e.pointerId, e);
    moved += Math.abs(e.clientX - before.clientX) + Math.abs(e.clientY - before.clientY);
    if (fingers.size === 2) {
      const [a, b] = [...fingers.values()], now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
      if (spread && now) d.port.zoom(spread / now, d.port.timeAt((a.clientX + b.clientX) / 2 - canvas.getBoundingClientRect().left));
      spread = now;
    } else if (moved > 4) {
      hideTip();
      d.port.pan(-(e.clientX - before.clientX) / (d.port.width - LEFT - RIGHT));
    }
  });
  const up = (e) => {
    if (fingers.delete(e.pointerId) && e.type === "pointerup" && moved <= 4) { const i = d.at(...place(e)); if (i >= 0) { d.focus = -1; d.choose(i); } }
    spread = 0;
  };
  canvas.addEventListener("pointerup", up); canvas.addEventListener("pointercancel", up);
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("wheel", (e) => {
    if (e.ctrlKey || e.metaKey) { e.preventDefault(); d.port.zoom(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 150), d.port.timeAt(place(e)[0])); }
    else if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) { e.preventDefault(); d.port.pan((e.deltaX || e.deltaY) / 1000); }
  }, { passive: false });
  canvas.addEventListener("keydown", (e) => key(d, e));
  canvas.addEventListener("blur", () => { d.focus = -1; hideTip(); d.draw(); });
  const drag = (e) => {
    if (e.type === "pointermove" && !e.buttons) return;
    const box = d.over.getBoundingClientRect(), span = d.port.view[1] - d.port.view[0];
    const time = d.port.least + (e.clientX - box.left - LEFT) / (box.width - LEFT - RIGHT) * (d.port.most - d.port.least);
    d.port.show(time - span / 2, span);
  };
  d.over.addEventListener("pointerdown", (e) => { d.over.setPointerCapture(e.pointerId); drag(e); });
  d.over.addEventListener("pointermove", drag);
  const doing = { in: () => d.port.zoom(0.6), out: () => d.port.zoom(1 / 0.6), all: () => d.port.show(d.port.least, Infinity),
    left: () => d.port.pan(-0.4), right: () => d.port.pan(0.4), clear: () => d.clear() };
  for (const button of all("[data-do]", d.root)) button.addEventListener("click", doing[button.dataset.do]);
  for (const input of all(".cut-on, .cut-at, .cut-by", d.root)) input.addEventListener("input", () => moveCut(d));
}

function hover(d, e, x, y) {
  const i = d.at(x, y);
  d.canvas.classList.toggle("on", i >= 0);
  if (i < 0) { hideTip(); return; }
  showTip(e.clientX, e.clientY, element("b", "Event " + d.h.name(i)), facts(d.h, i));
}

function key(d, e) {
  const h = d.h, i = d.focus;
  const begin = () => { for (let l = 0; l < h.vms.length; l++) { const k = h.after(l, d.port.view[0]); if (k < h.start[l + 1]) return k; } return -1; };
  let to = i;
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  if (e.key === "ArrowRight") to = i < 0 ? begin() : Math.min(i + 1, h.start[h.line[i] + 1] - 1);
  else if (e.key === "ArrowLeft") to = i < 0 ? begin() : Math.max(i - 1, h.start[h.line[i]]);
  else if (e.key === "ArrowUp" || e.key === "ArrowDown") {
    const l = i < 0 ? 0 : Math.max(0, Math.min(h.vms.length - 1, h.line[i] + (e.key === "ArrowUp" ? -1 : 1)));
    to = i < 0 ? begin() : Math.min(h.after(l, h.time[i]), h.start[l + 1] - 1);
  } else if (e.key === "Enter" || e.key === " ") d.choose(i);
  else if (e.key === "+" || e.key === "=") d.port.zoom(0.6);
  else if (e.key === "-") d.port.zoom(1 / 0.6);
  else if (e.key === "0") d.port.show(d.port.least, Infinity);
  else if (e.key === "Home") d.port.show(d.port.least, d.port.view[1] - d.port.view[0]);
  else if (e.key === "End") d.port.show(d.port.most, d.port.view[1] - d.port.view[0]);
  else if (e.key === "Escape") { d.clear(); hideTip(); } else return;
  e.preventDefault();
  if (to !== i && to >= 0) {
    d.focus = to;
    d.reveal(to);
    const box = d.canvas.getBoundingClientRect();
    requestAnimationFrame(() => showTip(box.left + d.port.x(h.time[to]), box.top + d.port.y(h.line[to]), element("b", "Event " + h.name(to)), facts(h, to)));
  }
}
