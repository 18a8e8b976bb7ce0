// Several experts: what each judges of a prior, kept by model, pooled, and opened again from a file.
import { element } from "./drawn.js";

// The address has a part that is new with every start: what another one left is not found.
const KEPT = `judgements ${location.pathname}`;
const LONGEST = 1_000_000;

function restored() {
  try { return JSON.parse(sessionStorage.getItem(KEPT)) || {}; } catch { return {}; }
}

const short = (value) => Number(value.toPrecision(3)).toString();

function judgement(expert) {
  const { edges, chips, belief, numbers } = expert;
  if (chips) return `chips ${chips.join(" ")}, from ${short(edges[0])} to ${short(edges[edges.length - 1])}`;
  return belief || Object.entries(numbers).map(([key, value]) => `${key} = ${short(value)}`).join(", ");
}

const said = (expert) => `${expert.who}${(expert.weight ?? 1) === 1 ? "" : ` (weight ${expert.weight})`}: ${judgement(expert)}`;

export class Experts {
  constructor(ask) { Object.assign(this, { ask, model: "", all: restored(), panels: new Map(), changed: () => {} }); }

  at(model) {
    if (model === this.model) return;
    this.model = model;
    this.redraw();
  }

  of(name) {
    const own = (this.all[this.model] ??= {});
    return (own[name] ??= []);
  }

  // What is taken along: each prior that somebody judged.
  get given() { return Object.fromEntries(Object.entries(this.all[this.model] ?? {}).filter(([, experts]) => experts.length)); }

  keep() {
    try { sessionStorage.setItem(KEPT, JSON.stringify(this.all)); } catch { /* full, or refused: the file keeps them */ }
    this.redraw();
  }

  redraw() {
    for (const [name, panel] of this.panels) {
      panel.list.replaceChildren(...this.of(name).map((expert, i) => {
        const item = element("li", {}, `${said(expert)} `), drop = element("button", { type: "button", "aria-label": `Remove the judgement of ${expert.who}` }, "remove");
        drop.addEventListener("click", () => { this.of(name).splice(i, 1); this.keep(); });
        item.append(drop);
        return item;
      }));
    }
    this.changed();
  }

  panel(dial, says, laid, use) {
    const place = element("div"), { name, label } = dial, list = element("ul");
    const told = element("p", { class: "soft", role: "status" });
    const who = element("input", { "aria-label": `Expert on ${label}`, maxlength: 80, placeholder: "name" });
    const weight = element("input", { type: "number", min: 0.01, step: "any", value: 1, "aria-label": `Weight of this expert on ${label}` });
    const heavy = element("label", {}, "weight ");
    heavy.append(weight);
    const add = (found) => {
      if (!found) { told.textContent = "No chips are laid yet."; return; }
      const size = Number(weight.value);
      this.of(name).push({ who: who.value.trim() || `expert ${this.of(name).length + 1}`, weight: size > 0 ? size : 1, ...found });
      who.value = ""; weight.value = 1; told.textContent = "";
      this.keep();
    };
    const button = (text, act) => { const made = element("button", { type: "button" }, text); made.addEventListener("click", act); return made; };
    const buttons = element("div", { class: "buttons" }), pool = element("div", { class: "buttons" });
    buttons.append(button("Keep as this expert’s", () => add(says())), button("Keep the chips as this expert’s", () => add(laid())));
    const panel = { list, told, stated: null };
    pool.append(button("Pool them", () => { if (this.of(name).length) this.ask({ type: "pool", name, experts: this.of(name) }); }), button("Use the pool", () => { if (panel.stated) use(panel.stated); }));
    place.append(element("p", { class: "soft" }, "Several experts: each sets the dial or lays chips, gives a name and perhaps a weight, and keeps it; the pool is the mixture of all. “Take it along” saves and opens them."), who, " ", heavy, buttons, list, pool, told);
    this.panels.set(name, panel);
    this.redraw();
    return place;
  }

  pooled(message, off) {
    const panel = this.panels.get(message.name);
    if (panel) Object.assign(panel, { stated: message.stated }).told.textContent = `Closest to the mixture of all is ${message.formula}; ${off}`;
  }

  // Adds what a file says to what is there; says what became of it.
  async open(file, settings) {
    if (file.size > LONGEST) return "This file is too long to be one of judgements.";
    const body = JSON.stringify({ settings, text: await file.text() });
    const answer = await fetch("judgements", { method: "POST", body, headers: { "Content-Type": "application/json" } });
    if (!answer.ok) return answer.text();
    const found = await answer.json();
    let count = 0;
    for (const [name, experts] of Object.entries(found.experts)) for (const { fitted, ...expert } of experts) {
      const there = this.of(name).some((each) => each.who === expert.who && judgement(each) === judgement(expert));
      if (!there) { this.of(name).push(expert); count += 1; }
    }
    this.keep();
    return [`${count} opened. ${found.source}`.trim(), ...found.remarks].join(" ");
  }

  // How many there are, in words.
  get summary() {
    const lists = Object.values(this.given), count = lists.reduce((sum, each) => sum + each.length, 0);
    return count ? `${count} judgement${count === 1 ? "" : "s"} of experts on ${lists.length} prior${lists.length === 1 ? "" : "s"} will be among the files. This tab keeps them until the explorer stops.` : "No expert’s judgement is kept yet.";
  }
}
