// Dials: a slider and a number box for each number of a prior, in the unit that it is stated in.
import { density, element } from "./drawn.js";
import { Experts } from "./experts.js";

const STEPS = 1000, BINS = 12;
// What a clinician has an opinion on comes first.
const FIRST = ["change_mean", "common_change", "baseline_mean"];
const short = (value) => Number(value.toPrecision(3)).toString();

export class Dials {
  constructor(place, others, moved, ask) {
    Object.assign(this, { place, others, moved, ask, made: new Map(), held: null, experts: new Experts(ask) });
  }

  show(dials, densities, stated, model) {
    this.experts.at(model);
    const names = dials.map((dial) => dial.name);
    const kinds = dials.map((dial) => `${dial.name}:${dial.kind}:${dial.sliders.length}`).join("|");
    if (kinds !== this.kinds) {
      this.kinds = kinds;
      this.made.clear();
      this.experts.panels.clear();
      const first = (dial) => FIRST.includes(dial.parameter);
      const rank = (dial) => FIRST.indexOf(dial.parameter);
      this.place.replaceChildren(...dials.filter(first).sort((a, b) => rank(a) - rank(b)).map((dial) => this.make(dial)));
      this.others.replaceChildren(...dials.filter((dial) => !first(dial)).map((dial) => this.make(dial)));
    }
    for (const dial of dials) this.update(dial, densities[dial.name], dial.name in stated);
    return names;
  }

  make(dial) {
    const box = element("fieldset", { class: "dial", "data-name": dial.name });
    box.append(element("legend", {}, dial.label));
    const parts = { box, sliders: new Map(), dial };
    this.made.set(dial.name, parts);
    for (const slider of dial.sliders) box.append(this.slider(parts, slider));
    parts.unit = element("span", { class: "unit" }, dial.unit);
    parts.says = element("p", { class: "says" });
    parts.picture = element("div");
    parts.formula = element("p", { class: "formula" });
    box.append(parts.says, parts.picture, parts.formula, this.more(parts));
    return box;
  }

  slider(parts, slider) {
    const row = element("div", { class: "slider" });
    const label = `${parts.dial.label}: ${slider.label}`;
    const range = element("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": label, "data-key": slider.key });
    const number = element("input", { type: "number", step: "any", "aria-label": `${label}, as a number`, "data-key": slider.key });
    row.append(element("span", { class: "unit" }, slider.label), range, number);
    const part = { range, number, slider };
    parts.sliders.set(slider.key, part);
    // A wheel over a slider scrolls the page: nobody changes a prior by scrolling.
    for (const input of [range, number]) input.addEventListener("wheel", (event) => { if (document.activeElement === input) input.blur(); }, { passive: true });
    range.addEventListener("input", () => { this.set(parts, slider.key, this.value(part), true); });
    range.addEventListener("change", () => { this.set(parts, slider.key, this.value(part), false); });
    for (const name of ["pointerdown", "keydown"]) range.addEventListener(name, () => { this.held = parts.dial.name; });
    range.addEventListener("blur", () => { this.held = null; });
    range.addEventListener("pointerup", () => { this.held = null; });
    number.addEventListener("focus", () => { this.held = parts.dial.name; });
    number.addEventListener("blur", () => { this.held = null; });
    number.addEventListener("change", () => { const value = Number(number.value); if (Number.isFinite(value)) this.set(parts, slider.key, value, false); });
    return row;
  }

  value(part) {
    const { least, most, logs } = part.slider, at = Number(part.range.value) / STEPS;
    return logs ? least * (most / least) ** at : least + at * (most - least);
  }

  place_of(part, value) {
    const { least, most, logs } = part.slider;
    const at = logs ? Math.log(value / least) / Math.log(most / least) : (value - least) / (most - least);
    return String(Math.round(STEPS * Math.min(1, Math.max(0, at))));
  }

  set(parts, key, value, live) {
    const values = {};
    for (const [name, part] of parts.sliders) values[name] = part.current;
    values[key] = Number(value.toPrecision(6));
    if (parts.dial.kind === "range" && values.low >= values.high) {
      // One end pushes the other before it.
      const logs = parts.sliders.get("low").slider.logs, gap = logs ? 1.02 : 0.5;
      if (key === "low") values.high = logs ? values.low * gap : values.low + gap;
      else values.low = logs ? values.high / gap : values.high - gap;
    }
    for (const [name, part] of parts.sliders) {
      part.current = values[name];
      if (name !== key || document.activeElement !== part.number) part.number.value = short(values[name]);
      if (name !== key || document.activeElement !== part.range) part.range.value = this.place_of(part, values[name]);
      part.range.setAttribute("aria-valuetext", `${short(values[name])} ${parts.dial.unit}`);
    }
    this.moved(parts.dial.name, this.stated(parts.dial, values), live);
  }

  stated(dial, values) {
    const plain = (value) => Number(value.toPrecision(5)).toString();
    if (dial.kind === "range") return `90% between ${plain(values.low)} and ${plain(values.high)} on ${dial.scale}`;
    if (dial.kind === "below") return `95% below ${plain(values.below)} on ${dial.scale}`;
    return { ...values };
  }

  update(dial, picture, changed) {
    const parts = this.made.get(dial.name);
    parts.dial = dial;
    parts.box.classList.toggle("changed", changed);
    parts.undo.hidden = !changed;
    parts.says.textContent = dial.sentence;
    parts.formula.textContent = `${dial.formula}, ${dial.unit}`;
    parts.reason.textContent = `${dial.meaning}. ${dial.why} (${dial.source})`;
    parts.picture.replaceChildren(...(picture ? [density(picture, `${dial.label}: prior (dashed) and posterior`)] : []));
    for (const slider of dial.sliders) {
      const part = parts.sliders.get(slider.key);
      const held = this.held === dial.name;
      if (!held) part.slider = slider;
      if (!held || part.current === undefined) {
        part.current = slider.value;
        part.number.value = short(slider.value);
        part.range.value = this.place_of(part, slider.value);
      }
      part.range.setAttribute("aria-valuetext", `${short(part.current)} ${dial.unit}`);
    }
  }

  more(parts) {
    const details = element("details"), name = parts.dial.name;
    details.append(element("summary", {}, "In words, by chips, with several experts; why"));
    parts.reason = element("p", { class: "soft" });
    parts.undo = element("button", { type: "button" }, "Undo this one");
    parts.undo.addEventListener("click", () => { this.held = null; this.moved(name, null, false); });
    details.append(parts.reason, parts.undo);
    if (parts.dial.kind === "numbers") return details;
    const words = element("input", { "aria-label": `${parts.dial.label}: a belief in words`, placeholder: `90% between A and B on ${parts.dial.scale}`, maxlength: 200 });
    const say = element("button", { type: "button" }, "Say it");
    say.addEventListener("click", () => { if (words.value.trim()) this.moved(name, words.value.trim(), false); });
    words.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); say.click(); } });
    details.append(element("p", { class: "soft" }, "In words:"), words, say, this.roulette(parts), this.panel(parts));
    return details;
  }

  // Chips as elicitation experts lay them: each is a share of the probability of its bin.
  roulette(parts) {
    const place = element("div"), chips = new Array(BINS).fill(0), edges = this.edges(parts);
    place.append(element("p", { class: "soft" }, "Roulette: lay chips where the value may lie; each is as probable as any other."));
    const grid = element("div", { class: "chips", role: "group", "aria-label": `Chips, ${parts.dial.label}`, tabindex: 0 });
    const told = element("p", { class: "soft", role: "status" });
    const redraw = [];
    for (let i = 0; i < BINS; i++) {
      const bin = element("div", { class: "bin" }), pile = element("div", { class: "pile" });
      const label = `${short(edges[i])} to ${short(edges[i + 1])}`;
      const add = element("button", { type: "button", "aria-label": `One chip more, ${label}` }, "+");
      const take = element("button", { type: "button", "aria-label": `One chip less, ${label}` }, "−");
      redraw.push(() => pile.replaceChildren(...Array.from({ length: chips[i] }, () => element("div", { class: "chip" }))));
      add.addEventListener("click", () => { chips[i] += 1; redraw[i](); changed(); });
      take.addEventListener("click", () => { chips[i] = Math.max(0, chips[i] - 1); redraw[i](); changed(); });
      bin.append(pile, add, take, element("span", {}, short(edges[i])));
      grid.append(bin);
    }
    const count = () => chips.reduce((a, b) => a + b, 0);
    const changed = () => {
      told.textContent = `${count()} chips`;
      if (count() >= 4) this.ask({ type: "chips", name: parts.dial.name, edges, chips });
    };
    const use = element("button", { type: "button" }, "Use the chips");
    use.addEventListener("click", () => { if (parts.judged) this.moved(parts.dial.name, parts.judged, false); });
    parts.told = told;
    parts.laid = () => (count() ? { edges, chips: [...chips] } : null);
    place.append(grid, told, use);
    return place;
  }

  edges(parts) {
    // The middle of what the slider reaches: there the chips of most people lie.
    const { least, most, logs } = [...parts.sliders.values()][0].slider, below = parts.dial.kind === "below";
    const between = (at) => (logs ? least * (most / least) ** at : least + at * (most - least));
    return Array.from({ length: BINS + 1 }, (_, i) => (below ? 1e-9 + (i / BINS) * 0.6 * most : between(0.2 + (0.6 * i) / BINS)));
  }

  judged(message) {
    const parts = this.made.get(message.name);
    if (!parts) return;
    const off = `it is off by at most ${Math.round(100 * message.apart)} points.`;
    if (message.of === "pool") { this.experts.pooled(message, off); return; }
    parts.judged = message.stated;
    parts.told.textContent = `Closest is ${message.formula}; ${off}`;
  }

  panel(parts) {
    const says = () => {
      const values = {};
      for (const [key, part] of parts.sliders) values[key] = part.current;
      return { belief: this.stated(parts.dial, values) };
    };
    return this.experts.panel(parts.dial, says, parts.laid, (stated) => this.moved(parts.dial.name, stated, false));
  }
}
