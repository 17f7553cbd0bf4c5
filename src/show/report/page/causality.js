// What happened before what, among the events of a page; tests in a browser hold it against what the program says.
//
// The causal past of an event (Lamport 1978) is told as a front: of each machine the number of its first events that are in it.

/** Of each line how many of its events happened before an event, which is one of them. */
export function past(h, event) {
  const front = new Int32Array(h.vms.length), todo = [event];
  while (todo.length) {
    const e = todo.pop(), l = h.line[e], end = e - h.start[l] + 1;
    for (let k = front[l]; k < end; k++) {
      const send = h.from[h.start[l] + k];
      if (send >= 0) todo.push(send);
    }
    front[l] = Math.max(front[l], end);
  }
  return front;
}

/** Of each line from which of its events on all happened after an event, which is one of them. */
export function future(h, event) {
  const front = h.vms.map((_, l) => h.start[l + 1] - h.start[l]), todo = [event];
  while (todo.length) {
    const e = todo.pop(), l = h.line[e], first = e - h.start[l];
    for (let k = first; k < front[l]; k++) {
      const to = h.to[h.start[l] + k];
      if (to) todo.push(...to);
    }
    front[l] = Math.min(front[l], first);
  }
  return front;
}

/** Whether an event knows another one by its vector; undefined where it has none. */
export function knows(h, e, other) {
  const vector = h.vector(e), vm = h.vms[h.line[other]];
  return vector && vm < vector.length ? vector[vm] >= h.number[other] : undefined;
}

export function isBefore(h, a, b) { return past(h, b)[h.line[a]] > a - h.start[h.line[a]]; }

/** The fewest messages that lead from one event to another: their receives, in order. */
export function chain(h, a, b) {
  const reached = new Float64Array(h.vms.length).fill(Infinity);
  reached[h.line[a]] = a;
  let latest = [[a, h.start[h.line[a] + 1], null]];
  if (h.line[a] === h.line[b]) return [];
  while (latest.length) {
    const next = [];
    for (const [event, before, by] of latest) {
      for (let e = event; e < before; e++) for (const r of h.to[e] || []) {
        const l = h.line[r];
        if (r >= reached[l]) continue;
        const step = [r, Math.min(reached[l], h.start[l + 1]), { receive: r, by }];
        reached[l] = r;
        if (l === h.line[b] && r <= b) {
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
export function consistent(h, cut) {
  const front = Int32Array.from(cut);
  for (let changed = true; changed;) {
    changed = false;
    for (let l = 0; l < front.length; l++) for (let k = 0; k < front[l]; k++) {
      const send = h.from[h.start[l] + k];
      if (send >= 0 && send - h.start[h.line[send]] >= front[h.line[send]]) { front[l] = k; changed = true; }
    }
  }
  return front;
}
