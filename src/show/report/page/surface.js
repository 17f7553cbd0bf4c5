// What is drawn on: a canvas at the screen's resolution, and the page's colours, or those of paper.

export function colours(d) {
  const style = getComputedStyle(document.documentElement), c = {};
  for (const name of ["ink", "soft", "rule", "paper", "send", "receive", "line", "arrow", "past", "future", "apart", "chosen", "cut"])
    c[name] = style.getPropertyValue("--" + name).trim();
  if (d.printing) Object.assign(c, { ink: "#000", soft: "#444", rule: "#ddd", paper: "#fff", send: "#0072b2",
    receive: "#d55e00", line: "#aaa", arrow: "#888", past: "#8a3ffc", future: "#00846b", apart: "#ccc", chosen: "#000", cut: "#b0006d" });
  return c;
}

export function surface(d, canvas, height) {
  const wide = d.printing ? 700 : canvas.clientWidth || 900, scale = d.printing ? 3 : window.devicePixelRatio || 1;
  canvas.style.height = height + "px";
  if (canvas.width !== Math.round(wide * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(wide * scale); canvas.height = Math.round(height * scale);
  }
  const g = canvas.getContext("2d");
  g.setTransform(scale, 0, 0, scale, 0, 0);
  g.clearRect(0, 0, wide, height);
  g.font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  return [g, wide];
}
