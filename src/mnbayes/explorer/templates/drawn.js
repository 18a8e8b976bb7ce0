// Pictures from numbers, as SVG elements: no text is ever read as markup.
const NS = "http://www.w3.org/2000/svg";

export function element(name, attributes = {}, text = "") {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  // A number and its percent sign stay on one line.
  if (text) made.textContent = text.replaceAll(" %", "\u00a0%");
  return made;
}

export function shape(name, attributes, text) {
  const made = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function canvas(width, height, label) {
  const made = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" });
  made.append(shape("title", {}, label));
  return made;
}

const number = (value) => (Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(2)).toString());

function scaled(low, high, from, to, log) {
  const at = log ? Math.log : (x) => x;
  const [a, b] = [at(low), at(high)];
  return (x) => from + ((at(x) - a) / (b - a || 1)) * (to - from);
}

export function ticks(low, high, log, most = 5) {
  if (log) {
    const found = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high) + 1; power++)
      for (const step of [1, 2, 5]) {
        const value = step * 10 ** power;
        if (value >= low * 0.999 && value <= high * 1.001) found.push(value);
      }
    const every = Math.ceil(found.length / most);
    // Where less than a decade is shown, even steps say more.
    if (found.length > 2) return found.filter((_, i) => i % every === 0);
  }
  const raw = (high - low) / most, size = 10 ** Math.floor(Math.log10(raw || 1));
  const step = [1, 2, 5, 10].map((k) => k * size).find((k) => k >= raw) || size;
  const found = [];
  for (let x = Math.ceil(low / step) * step; x <= high + step / 1e6; x += step) found.push(Number(x.toPrecision(6)));
  return found;
}

const line = (points) => points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function bottom(svg, at, values, y, width) {
  svg.append(shape("path", { class: "axis", d: `M${at(values.low)} ${y}H${at(values.high)}` }));
  let last = -99;
  for (const tick of ticks(values.low, values.high, values.log, Math.max(2, Math.floor(width / 60)))) {
    const x = at(tick), text = values.percent ? `${Math.round(100 * tick)} %` : number(tick);
    svg.append(shape("path", { class: "axis", d: `M${x} ${y}v4` }));
    if (x - last < 7 * text.length) continue;
    svg.append(shape("text", { x, y: y + 15, "text-anchor": "middle" }, text));
    last = x;
  }
}

export function density(data, label, width = 330) {
  const height = 84, base = 62, svg = canvas(width, height, label);
  const x = data.x, log = data.log && x[0] > 0;
  const peak = Math.max(...data.prior.filter((v) => v !== null), ...(data.posterior || [0]));
  const at = scaled(x[0], x[x.length - 1], 6, width - 6, log);
  const up = scaled(0, Math.min(peak, 4 * median(data.prior.concat(data.posterior || []).filter((v) => v > 0)) + peak / 3) || 1, base, 4, false);
  (data.posterior || []).forEach((h, i) => {
    const left = at(data.edges[i]), right = at(data.edges[i + 1]);
    if (h > 0) svg.append(shape("rect", { class: "nowbar", x: left, y: Math.max(2, up(h)), width: Math.max(0.5, right - left), height: base - Math.max(2, up(h)) }));
  });
  const points = x.map((v, i) => [at(v), Math.max(2, up(data.prior[i] || 0))]);
  svg.append(shape("path", { class: "prior", d: line(points) }));
  bottom(svg, at, { low: x[0], high: x[x.length - 1], log }, base, width);
  return svg;
}

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted.length ? sorted[Math.floor(sorted.length / 2)] : 1;
}

export function share(data, reference) {
  const width = 330, height = 130, base = 104, svg = canvas(width, height, `Share in ${data.label}: prior, data, benchmark`);
  const bars = data.now || data.prior, peak = Math.max(...bars, ...data.prior.slice(1, -1)) || 1;
  const at = scaled(0, 1, 14, width - 18, false), up = (h) => Math.max(4, base - (h / peak) * (base - 8));
  if (data.now) data.now.forEach((h, i) => {
    if (h > 0) svg.append(shape("rect", { class: "nowbar", x: at(i / data.now.length), y: up(h), width: (width - 32) / data.now.length - 0.4, height: base - up(h) }));
  });
  const steps = (values) => line(values.flatMap((h, i) => [[at(i / values.length), up(h)], [at((i + 1) / values.length), up(h)]]));
  svg.append(shape("path", { class: "prior", d: steps(data.prior) }));
  if (reference && reference.now) svg.append(shape("path", { class: "ref", d: steps(reference.now) }));
  if (data.benchmark !== null) {
    const x = at(data.benchmark);
    svg.append(shape("path", { class: "threshold", d: `M${x} 4V${base}` }));
    svg.append(shape("text", { x: x + 4, y: 14 }, "benchmark"));
  }
  bottom(svg, at, { low: 0, high: 1, percent: true }, base, width);
  return svg;
}

export function weeks(data, reference) {
  const width = 360, height = 170, base = 140, svg = canvas(width, height, `${data.ratio} of ${data.label} to baseline by week`);
  const ends = data.prior.concat(data.now || [], (reference && reference.now) || []).flat().filter((v) => v > 0);
  const low = Math.max(Math.min(...ends, 0.8), 0.02), high = Math.min(Math.max(...ends, 1.25), 50);
  const up = scaled(low, high, base, 8, true), across = (i) => 52 + ((i + 0.5) * (width - 60)) / data.weeks.length;
  const clip = (v) => Math.min(Math.max(v, low), high);
  for (const tick of ticks(low, high, true)) {
    svg.append(shape("path", { class: "axis grid", d: `M46 ${up(tick)}H${width - 4}` }));
    svg.append(shape("text", { x: 42, y: up(tick) + 4, "text-anchor": "end" }, number(tick)));
  }
  svg.append(shape("path", { class: "axis", d: `M46 ${up(1)}H${width - 4}` }));
  data.weeks.forEach((week, i) => {
    const draw = (row, shift, stroke, dot) => {
      if (!row || row[0] === null) return;
      const x = across(i) + shift;
      svg.append(shape("path", { class: stroke, d: `M${x} ${up(clip(row[1]))}V${up(clip(row[2]))}` }));
      svg.append(shape("circle", { class: dot, cx: x, cy: up(clip(row[0])), r: 3.4 }));
    };
    draw(data.prior[i], -8, "priorbar", "priordot");
    if (data.now) draw(data.now[i], 0, "nowline", "dot");
    if (reference && reference.now) draw(reference.now[i], 8, "refline", "refdot");
    svg.append(shape("text", { x: across(i), y: base + 18, "text-anchor": "middle" }, `week ${week}`));
  });
  return svg;
}

export function course(data, row) {
  const width = 190, height = 130, base = 108, left = 36;
  const svg = canvas(width, height, `${data.label}: measurements and true level of ${data.patients[row]}`);
  const all = data.value.flat().concat(data.lower.flat(), (data.bands || []).flat(2), data.lines.map((l) => l.at)).filter((v) => v !== null && v > 0);
  const low = Math.min(...all), high = Math.max(...all);
  const up = scaled(low * (data.log ? 0.9 : 1), high * (data.log ? 1.1 : 1), base, 6, data.log);
  const across = (i) => left + 6 + (i * (width - left - 16)) / Math.max(1, data.weeks.length - 1);
  for (const tick of ticks(low, high, data.log, 4)) svg.append(shape("text", { x: left - 4, y: up(tick) + 4, "text-anchor": "end" }, number(tick)));
  svg.append(shape("path", { class: "axis", d: `M${left} 4V${base}H${width - 4}` }));
  for (const each of data.lines) svg.append(shape("path", { class: "threshold", d: `M${left} ${up(each.at)}H${width - 4}` }));
  if (data.bands) {
    const [a, b, middle, c, d] = data.bands[row];
    const band = (lower, upper) => line(lower.map((v, i) => [across(i), up(v)]).concat(upper.map((v, i) => [across(i), up(v)]).reverse())) + "Z";
    svg.append(shape("path", { class: "pale", d: band(a, d) }), shape("path", { class: "nowbar", d: band(b, c) }));
    svg.append(shape("path", { class: "now", d: line(middle.map((v, i) => [across(i), up(v)])) }));
  }
  data.weeks.forEach((week, i) => {
    if (data.bands && data.value[row][i] === null && data.lower[row][i] === null && data.upper[row][i] === null)
      svg.append(shape("circle", { class: "predicted", cx: across(i), cy: up(data.bands[row][2][i]), r: 3.4 }));
    if (data.value[row][i] !== null) svg.append(shape("circle", { class: "seen", cx: across(i), cy: up(data.value[row][i]), r: 3 }));
    else if (data.lower[row][i] !== null || data.upper[row][i] !== null) {
      const top = up(Math.min(data.upper[row][i] ?? high, high)), end = up(Math.max(data.lower[row][i] || low, low));
      svg.append(shape("path", { class: "axis", d: `M${across(i)} ${top}V${end}` }));
    }
    svg.append(shape("text", { x: across(i), y: base + 14, "text-anchor": "middle", class: "soft" }, String(week)));
    if (data.withdrew[row] !== null && i && week >= data.withdrew[row] && data.weeks[i - 1] < data.withdrew[row])
      svg.append(shape("path", { class: "gone", d: `M${(across(i) + across(i - 1)) / 2} 4V${base}` }));
  });
  return svg;
}

export function tipping(data) {
  const width = 330, height = 140, base = 112, svg = canvas(width, height, `P(${data.label}) by how much worse the unseen are`);
  const at = scaled(data.delta[0], data.delta[data.delta.length - 1], 40, width - 8, true), up = scaled(0, 1, base, 6, false);
  for (const tick of [0, 0.5, 1]) svg.append(shape("text", { x: 36, y: up(tick) + 4, "text-anchor": "end" }, `${100 * tick} %`));
  svg.append(shape("path", { class: "axis", d: `M40 4V${base}` }), shape("path", { class: "threshold", d: `M40 ${up(data.line)}H${width - 8}` }));
  svg.append(shape("path", { class: "prior", d: line(data.delta.map((d, i) => [at(d), up(data.prior[i])])) }));
  svg.append(shape("path", { class: "now", d: line(data.delta.map((d, i) => [at(d), up(data.probability[i])])) }));
  bottom(svg, at, { low: data.delta[0], high: data.delta[data.delta.length - 1], log: true }, base, width);
  return svg;
}

export function interval(row, reference) {
  const width = 130, height = 34, rows = [[row.prior_lower, row.prior_upper, row.prior_value, "priorbar", "priordot", 6], [row.lower, row.upper, row.value, "nowline", "dot", 17]];
  if (reference) rows.push([reference.lower, reference.upper, reference.value, "refline", "refdot", 28]);
  const svg = canvas(width, height, "prior, data and reference");
  const clip = (v) => (row.ratio ? Math.min(Math.max(v, 0.05), 20) : v);
  const at = row.ratio ? scaled(0.05, 20, 4, width - 4, true) : scaled(0, 1, 4, width - 4, false);
  const middle = row.ratio ? 1 : 0.5;
  svg.append(shape("path", { class: "axis grid", d: `M${at(middle)} 0V${height}` }));
  for (const [low, high, value, stroke, dot, y] of rows) {
    if (low !== undefined && low !== null && high !== null) svg.append(shape("path", { class: stroke, d: `M${at(clip(low))} ${y}H${at(clip(high))}` }));
    if (value !== undefined && value !== null) svg.append(shape("circle", { class: dot, cx: at(clip(value)), cy: y, r: 4 }));
  }
  return svg;
}
