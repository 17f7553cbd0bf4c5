// Values in the pictures, where one points at them.

import { element, hideTip, showTip } from "./elements.js";

const plain = (value) => String(value).replace(/^-/, "−");

export function liven(svg) {
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
