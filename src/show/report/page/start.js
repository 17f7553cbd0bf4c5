// The page's life: which run is shown, what the address asks for, and what happens on paper.

import { Diagram } from "./diagram.js";
import { $, all, hideTip } from "./elements.js";
import { History } from "./history.js";
import { liven } from "./values.js";

const diagrams = [];
function open(section, index) {
  if (diagrams[index]) return;
  diagrams[index] = new Diagram($(".diagram", section), new History(JSON.parse($(".data", section).textContent)), index);
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
  /** @type {(part: string) => [string, string]} */
  const pair = (part) => { const [key, value = ""] = part.split("="); return [key, value]; };
  const asked = new Map(decodeURIComponent(location.hash.slice(1)).split("&").map(pair));
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
