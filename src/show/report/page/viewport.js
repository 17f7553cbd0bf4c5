// Where things are: from times and machines to places on the canvas, and back.

export const LEFT = 62, RIGHT = 14, TOP = 26, BOTTOM = 8;

/** The part of the run's time that is shown. */
export class Viewport {
  constructor(history, changed) {
    const { from, to } = history.run, room = Math.max((to - from) * 0.01, 1e-6);
    this.lines = Math.max(1, history.vms.length); this.count = history.count; this.changed = changed;
    this.least = from - (from > 0 ? room : 0); this.most = to + room; this.width = 0;
    this.view = [this.least, this.most];
  }
  get spacing() {
    return Math.max(13, Math.min(66, 520 / this.lines));
  }
  x(time) { return LEFT + (time - this.view[0]) / (this.view[1] - this.view[0]) * (this.width - LEFT - RIGHT); }
  timeAt(x) { return this.view[0] + (x - LEFT) / (this.width - LEFT - RIGHT) * (this.view[1] - this.view[0]); }
  y(line) { return TOP + this.spacing * (line + 0.5); }
  radius() {
    const rate = this.count / this.lines / (this.most - this.least);
    const between = (this.width - LEFT - RIGHT) / Math.max(1e-9, rate * (this.view[1] - this.view[0]));
    return Math.max(1.2, Math.min(5, between / 3, this.spacing / 4));
  }
  /** Begins with as much as can be told apart on a canvas of that width. */
  first(wide) {
    const rate = this.count / this.lines / (this.most - this.least);
    this.show(this.least, Math.max((wide / 24) / Math.max(rate, 1e-9), 1e-6));
  }
  show(from, span) {
    const whole = this.most - this.least;
    span = Math.min(whole, Math.max(span, 1e-6, whole * 1e-6));
    from = Math.max(this.least, Math.min(from, this.most - span));
    this.view = [from, from + span];
    this.changed();
  }
  zoom(factor, at = (this.view[0] + this.view[1]) / 2) {
    const span = (this.view[1] - this.view[0]) * factor;
    this.show(at - (at - this.view[0]) * factor, span);
  }
  pan(share) { const span = this.view[1] - this.view[0]; this.show(this.view[0] + share * span, span); }
  /** Brings a time into view. */
  reveal(time) {
    const span = this.view[1] - this.view[0];
    if (time < this.view[0] + span * 0.03 || time > this.view[1] - span * 0.03) this.show(time - span / 2, span);
    else this.changed();
  }
}
