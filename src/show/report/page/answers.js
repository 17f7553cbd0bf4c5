// The words of an answer: what is in an event's past and future, or how two events are ordered.

import { chain, isBefore, knows } from "./causality.js";
import { element, facts } from "./elements.js";
import { eventName } from "./history.js";

export function tellPast(d, a) {
  const h = d.h, name = h.name(a), sum = (f) => h.vms.reduce((n, _, l) => n + f(l), 0);
  const past = sum((l) => d.before[l]), future = sum((l) => h.start[l + 1] - h.start[l] - d.later[l]);
  const front = [];
  h.vms.forEach((vm, l) => { if (d.before[l]) front.push(eventName(vm, h.number[h.start[l] + d.before[l] - 1])); });
  d.answer.dataset.event = name; d.answer.dataset.past = past; d.answer.dataset.future = future;
  d.answer.dataset.front = front.join(" ");
  const reach = front.length > 24 ? front.slice(0, 24).join(", ") + " and others" : front.join(", ");
  d.answer.append(
    element("p", name + ": " + past + " events in its causal past, " + future + " in its future, itself in both; "
      + (h.count - past - future + 1) + " concurrent.", "big"),
    element("p", "Its past reaches up to " + reach + "." + caution(d)), facts(h, a));
}

export function tellOrder(d, a, b) {
  const h = d.h, ba = knows(h, b, a), ab = knows(h, a, b);
  const before = isBefore(h, a, b) || ba === true, after = !before && (isBefore(h, b, a) || ab === true);
  // A page that does not have all causes of its events tells for certain what their vectors tell.
  const certain = h.run.whole || h.run.causes || (ba === false && ab === false);
  const [from, to] = after ? [b, a] : [a, b], word = before ? "before" : after ? "after" : certain ? "concurrent" : "unknown";
  d.answer.dataset.order = word;
  const big = word === "concurrent" ? h.name(a) + " and " + h.name(b) + " are concurrent."
    : word === "unknown" ? "How " + h.name(a) + " and " + h.name(b) + " are ordered depends on events that are not here."
    : h.name(a) + " happened " + word + " " + h.name(b) + ".";
  d.answer.append(element("p", big, "big"));
  const receives = chain(h, from, to);
  if (word === "concurrent" || word === "unknown") {
    d.answer.append(element("p", "No chain of messages leads from one to the other." + caution(d)));
  } else if (!receives) {
    d.answer.append(element("p", "So their vectors say. The messages between them are not all on this page."));
  } else {
    d.path = [from];
    for (const r of receives) d.path.push(h.from[r], r);
    d.path.push(to);
    const steps = receives.map((r) => h.name(h.from[r]) + " was received by " + h.name(r));
    d.answer.dataset.chain = receives.map((r) => h.name(h.from[r]) + ">" + h.name(r)).join(" ");
    d.answer.append(element("p", receives.length === 0 ? "Both are of one machine, which has them in this order."
      : "A shortest chain has " + receives.length + (receives.length === 1 ? " message: " : " messages: ") + steps.join("; ") + "."));
  }
  const rows = element("div", undefined, "rows");
  for (const i of [a, b]) { const box = element("div"); box.append(element("b", h.name(i)), facts(h, i)); rows.append(box); }
  d.answer.append(rows);
}

/** A page that does not have all rows says so. */
function caution(d) {
  if (d.h.run.whole) return "";
  if (d.h.run.part) return " This page is of a part of the run: what leads through logs that are not here is not counted.";
  return d.h.run.causes ? " Future and concurrent events are those that this page has the rows of."
    : " This page has not all rows of the run: what leads through others is not counted.";
}
