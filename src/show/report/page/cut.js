// A consistent cut of the run (Mattern 1989), at a time or at a value of the Lamport clock.

import { consistent } from "./causality.js";
import { $, element } from "./elements.js";
import { eventName } from "./history.js";

/** Clocks that are not of one kind of time make cuts of time inconsistent: what is received too early is left out. */
export function moveCut(d) {
  const on = $(".cut-on", d.root).checked, slider = $(".cut-at", d.root), by = $(".cut-by", d.root).value, h = d.h;
  slider.disabled = !on;
  const note = $(".cut-note", d.root) || d.answer.insertAdjacentElement("beforebegin", element("p", "", "cut-note sub"));
  if (!on) { d.cut = null; note.textContent = ""; d.draw(); return; }
  const share = slider.value / 1000;
  let cut;
  if (by === "time") {
    d.cutTime = d.port.least + share * (d.port.most - d.port.least);
    cut = h.vms.map((_, l) => h.after(l, d.cutTime) - h.start[l]);
  } else {
    const most = h.lamport.reduce((a, b) => Math.max(a, b), 0), least = h.lamport.reduce((a, b) => Math.min(a, b), most);
    d.cutTime = null; d.cutClock = Math.round(least + share * (most - least));
    cut = h.vms.map((_, l) => { let k = 0; while (h.start[l] + k < h.start[l + 1] && h.lamport[h.start[l] + k] <= d.cutClock) k++; return k; });
  }
  d.cut = consistent(h, cut);
  let crossing = 0;
  for (let r = 0; r < h.count; r++) {
    const s = h.from[r];
    if (s >= 0 && s - h.start[h.line[s]] < d.cut[h.line[s]] && r - h.start[h.line[r]] >= d.cut[h.line[r]]) crossing++;
  }
  const last = [];
  h.vms.forEach((vm, l) => { if (d.cut[l]) last.push(eventName(vm, h.number[h.start[l] + d.cut[l] - 1])); });
  const where = by === "time" ? "at " + d.cutTime.toFixed(3) + " s" : "at Lamport clock " + d.cutClock;
  note.dataset.cut = last.join(",");
  note.textContent = "A consistent cut " + where + ": up to " + (last.length > 24 ? last.slice(0, 24).join(", ") + " and others" : last.join(", ") || "nothing")
    + "; " + crossing + (crossing === 1 ? " message crosses" : " messages cross") + " it, sent and not yet received.";
  d.draw();
}
