// The strip below the diagram: how many events there are over the whole time, and which part is shown.

import { surface } from "./surface.js";
import { LEFT, RIGHT } from "./viewport.js";

export function overview(d) {
  const [g, wide] = surface(d, d.over, 34), h = d.h, c = d.c;
  const x = (time) => LEFT + (time - d.port.least) / (d.port.most - d.port.least) * (wide - LEFT - RIGHT);
  const slots = Math.max(10, Math.floor((wide - LEFT - RIGHT) / 3)), counts = new Float64Array(slots);
  if (!d.density || d.density.length !== slots) {
    for (let i = 0; i < h.count; i++) {
      const slot = Math.floor((h.time[i] - d.port.least) / (d.port.most - d.port.least) * slots);
      counts[Math.max(0, Math.min(slots - 1, slot))]++;
    }
    d.density = counts;
  }
  const most = d.density.reduce((a, b) => Math.max(a, b), 1);
  g.fillStyle = c.line;
  d.density.forEach((n, k) => {
    const tall = n / most * 24;
    g.fillRect(LEFT + k * (wide - LEFT - RIGHT) / slots, 30 - tall, 2, tall);
  });
  g.fillStyle = c.soft; g.textAlign = "right"; g.textBaseline = "middle"; g.fillText("all", LEFT - 12, 20);
  const a = x(d.port.view[0]), b = Math.max(x(d.port.view[1]), a + 4);
  g.globalAlpha = 0.18; g.fillStyle = c.send; g.fillRect(a, 2, b - a, 30); g.globalAlpha = 1;
  g.strokeStyle = c.send; g.lineWidth = 1.5; g.strokeRect(a, 2, b - a, 30);
}
