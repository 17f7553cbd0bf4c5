// The events of a page, as columns: what there is, without a question what came before what.

export const KINDS = { i: "internal", s: "send", r: "receive" };
export const eventName = (vm, number) => "vm" + vm + "-" + number;

/** The rows of a run, columns over all events: those of one machine stand together, in their order. */
export class History {
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
  rare(i) { return this.run.rows[this.line[i]].x[i - this.start[this.line[i]]] || [[], [], "", ""]; }
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
}
