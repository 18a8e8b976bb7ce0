// The page's state, its line to the server, and what is drawn of an answer.
import { course, element, interval, share, tipping, weeks } from "./drawn.js";
import { Dials } from "./dials.js";
import { take } from "./taking.js";

const $ = (id) => document.getElementById(id);
const page = { settings: null, n: 0, sent_n: 0, busy: true, waiting: null, reference: null, first: null, last: null, tried: [], protocol: null };
const TRIED = 12;
const PAUSE = 400; // milliseconds that a hand rests on a slider until everything is worked out

const here = new URL("socket/live", location.href);
here.protocol = here.protocol === "https:" ? "wss:" : "ws:";
here.search = location.search;
const line = new WebSocket(here);
line.addEventListener("message", (event) => receive(JSON.parse(event.data)));
line.addEventListener("close", () => { $("state").textContent = "The explorer has stopped. Start it again with mnbayes explore; the address of this page keeps the state (its first part is new)."; });

const dials = new Dials($("priors"), $("others"), (name, stated, live) => {
  const priors = { ...page.settings.priors };
  if (stated === null) delete priors[name]; else priors[name] = stated;
  change({ priors }, live);
}, (message) => line.send(JSON.stringify(message)));

function change(parts, live = false) {
  const settings = { ...page.settings, ...parts };
  for (const key of ["priors", "benchmarks"]) if (settings[key] && !Object.keys(settings[key]).length) delete settings[key];
  for (const key of Object.keys(settings)) if (settings[key] === undefined) delete settings[key];
  page.settings = settings;
  wish(live);
}

// While an answer is on its way, the first one too, only the newest wish waits; the last one is always sent.
function wish(live) {
  clearTimeout(page.pause);
  page.n += 1;
  page.live = live;
  const message = { type: "set", n: page.n, live, settings: page.settings, at: performance.now() };
  if (page.busy) page.waiting = message; else send(message);
}

function send(message) {
  page.busy = true;
  page.sent = message.at;
  page.sent_n = message.n;
  hide();
  const { at, ...rest } = message;
  line.send(JSON.stringify(rest));
  $("state").textContent = "…";
}

function next() {
  page.busy = false;
  if (page.waiting) { const message = page.waiting; page.waiting = null; send(message); }
}

function receive(message) {
  if (message.type === "hello") { page.number = message.page; page.protocol = message.reference; }
  else if (message.type === "answers") answers(message);
  else if (message.type === "further") further(message);
  else if (message.type === "progress") progress(message);
  else if (message.type === "judged") dials.judged(message);
  else if (message.type === "arviz") gallery(message);
  else if (message.type === "ran") $("ran").textContent = message.text;
  else if (message.type === "problem") { $("problem").textContent = message.text; $("state").textContent = "These settings cannot be used; what is shown is of the last ones that could."; hide(); next(); }
}

function hide() { $("progress").hidden = true; }

function progress(message) {
  const bar = $("progress");
  bar.hidden = message.total === 0;
  if (message.total) { bar.max = message.total; bar.value = message.done; $("state").textContent = `${message.text} …`; }
  if (page.reference && message.n >= page.sent_n) next(); // a fit that takes long is cut short by what is newer
}

function answers(message) {
  if (message.n > 0) $("problem").textContent = "";
  if (message.settled) hide();
  if (!page.waiting && message.n >= page.n) page.settings = message.settings;
  if (message.n === 0 && !page.settings) page.settings = message.settings;
  page.last = message;
  if (!page.reference || (page.reference.query === message.query && message.settled)) {
    if (page.first === page.reference) page.first = message;
    page.reference = message;
  }
  headline(message);
  table(message);
  pictures(message);
  controls(message);
  const sent = page.waiting ? page.waiting.settings : page.settings;
  dials.show(message.dials, message.densities, (sent && sent.priors) || {}, message.controls.model);
  $("says").textContent = message.says.join(" ");
  if (message.settled && message.n !== page.paused) tried(message);
  if (message.settled) history.replaceState(null, "", message.query ? `?${message.query}` : location.pathname);
  document.body.dataset.settled = String(message.settled);
  document.body.dataset.n = String(message.n);
  if (message.n === page.sent_n) document.body.dataset.took = String(Math.round(performance.now() - page.sent));
  const kind = message.settled ? `Settled: ${message.draws} draws by ${message.engine}, ${message.seconds} s` : `While you drag: ${message.draws} draws`;
  $("state").textContent = message.converged ? kind : message.settled ? "Not converged: no number is shown." : "More draws are needed …";
  if (message.n >= page.sent_n) next();
  if (page.live && !page.busy && !message.settled) page.pause = setTimeout(() => { wish(false); page.paused = page.n; }, PAUSE);
}

function headline(message) {
  const main = message.rows.filter((row) => row.id.startsWith("gmr:")).slice(0, 1)
    .concat(message.rows.filter((row) => row.id.startsWith("exceeds:")).slice(0, 1));
  const category = main[1] ? main[1].id.split(":")[1] : null;
  const following = message.rows.find((row) => row.id === `next:${category}`);
  const parts = [];
  if (main[0]) parts.push(`${main[0].short} ${main[0].now} of baseline`);
  if (following) parts.push(`next patient ${following.short}: ${following.now}`);
  if (main[1]) parts.push(`P(share ${main[1].short}) ${main[1].now}`);
  $("headline").textContent = message.converged ? `Week ${message.week}: ${parts.join(" · ")}` : "No answer: the fit did not converge.";
  $("words").textContent = message.words;
  $("assumptions").textContent = message.assumptions;
  $("flags").replaceChildren(...message.flags.map(flag), ...message.not_judged.map((text) => flag({ kind: "note", text: `Not judged: ${text}` })));
}

const flag = (each) => element("li", { class: each.kind }, each.text);

function moved(row, before) {
  if (!before || row.value === null || before.value === null) return "";
  if (row.now === before.now) return "–"; // nobody sees a digit that is not printed
  const error = 2 * Math.hypot(row.mcse || 0, before.mcse || 0);
  if (Math.abs(row.value - before.value) <= Math.max(error, 1e-9)) return "–";
  if (row.ratio) return `× ${(row.value / before.value).toFixed(2)}`;
  const points = 100 * (row.value - before.value);
  const size = Math.abs(points).toFixed(0);
  return size === "0" ? "–" : `${points > 0 ? "+" : "−"}${size} point${size === "1" ? "" : "s"}`;
}

function table(message) {
  const before = new Map(page.reference.rows.map((row) => [row.id, row]));
  $("rows").tBodies[0].replaceChildren(...message.rows.map((row) => {
    const old = before.get(row.id), line = element("tr", { "data-id": row.id }), picture = element("td");
    picture.append(interval(row, old));
    line.append(element("th", { scope: "row" }, row.label), element("td", {}, row.prior), element("td", {}, row.now),
      element("td", {}, old ? old.now : ""), element("td", { class: "moved" }, moved(row, old)), picture);
    return line;
  }));
}

function titled(svg, text) {
  const figure = element("figure");
  figure.append(svg, element("figcaption", {}, text));
  return figure;
}

function pictures(message) {
  const of = (list, key, value) => (list || []).find((each) => each[key] === value);
  $("shares").replaceChildren(...message.shares.map((each) => titled(share(each, of(page.reference.shares, "category", each.category)), each.label)));
  $("weeks").replaceChildren(...message.by_week.map((each) => titled(weeks(each, of(page.reference.by_week, "marker", each.marker)), `${each.label}, mean of such patients: median and 95 %`)));
  $("courses").replaceChildren(...message.courses.flatMap((each) => {
    const grid = element("div", { class: "small" });
    grid.append(...each.patients.map((name, row) => titled(course(each, row), name)));
    const more = each.left_out ? ` (${each.left_out} more are not drawn)` : "";
    return [element("p", { class: "soft" }, `${each.label}, ${each.unit}${more}`), grid];
  }));
}

function plain(made) {
  const place = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": made.caption }), found = element("table");
  found.append(element("caption", {}, made.caption));
  const head = element("tr");
  head.append(...made.head.map((text) => element("th", { scope: "col" }, text)));
  const top = element("thead"), body = element("tbody");
  top.append(head);
  body.append(...made.rows.map((cells) => {
    const line = element("tr");
    line.append(element("th", { scope: "row" }, cells[0]), ...cells.slice(1).map((text) => element("td", {}, text)));
    return line;
  }));
  found.append(top, body);
  place.append(found);
  return place;
}

function further(message) {
  $("decides").textContent = message.decides;
  for (const each of message.flags) $("flags").append(flag(each));
  const verdict = message.decision;
  $("decision").textContent = verdict.verdict ? `Decision by the rule stated beforehand: ${verdict.said} ${(verdict.doubts || []).join(" ")}` : verdict.said;
  $("patients").replaceChildren(...(message.patients ? [plain(message.patients)] : []));
  $("enrolled").replaceChildren(message.enrolled ? plain(message.enrolled) : element("p", { class: "soft" }, "Nobody withdrew, or this model cannot say."));
  $("tipping").replaceChildren(...message.tipping.map((each) => titled(tipping(each), `P(${each.label}) of the enrolled, by how many times worse than predicted the unseen are`)));
  $("tips").replaceChildren(...message.tips.map((text) => element("li", {}, text)));
  $("command").textContent = message.command;
  $("python").textContent = message.python;
  $("remarks").replaceChildren(...message.remarks.map((text) => element("li", {}, text)));
  document.body.dataset.further = String(message.n);
}

// The last settings: what was changed, and how far the main answer went.
function tried(message) {
  if (page.tried.length && page.tried[0].query === message.query) page.tried[0] = message;
  else { page.tried = page.tried.filter((each) => each.query !== message.query); page.tried.unshift(message); page.tried.length = Math.min(page.tried.length, TRIED); }
  const first = (each) => each.rows.find((row) => row.id.startsWith("exceeds:")) || each.rows[0];
  $("tried").replaceChildren(...page.tried.map((each, i) => {
    const before = page.tried[i + 1], item = element("li"), row = first(each);
    const what = before ? differences(before.settings, each.settings) : "the beginning";
    const by = before && row ? moved(row, first(before)) : "";
    const again = element("button", { type: "button" }, `${what}: ${row ? row.now : "no answer"}${by && by !== "–" ? ` (${by})` : ""}`);
    again.addEventListener("click", () => change_to(each.settings));
    item.append(again);
    return item;
  }));
}

const WORDS = { sets: "prior set", morph: "morph", trajectory: "course", residual: "measurement error", strategy: "withdrawal" };

function differences(before, after) {
  const labels = Object.fromEntries(page.last.dials.map((dial) => [dial.name, dial.label]));
  const old = { ...before, ...before.priors }, now = { ...after, ...after.priors };
  const names = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((key) => key !== "priors" && JSON.stringify(old[key]) !== JSON.stringify(now[key]));
  const text = (value) => (value === undefined ? "as at first" : Array.isArray(value) ? value.join(" + ") : typeof value === "object" ? JSON.stringify(value).replaceAll('"', "") : String(value));
  return names.map((key) => `${labels[key] || WORDS[key] || key} ${text(now[key])}`).join("; ") || "the same";
}

function change_to(settings) { dials.held = null; page.settings = { ...settings }; wish(false); }

function controls(message) {
  const given = message.controls, focus = document.activeElement;
  const set = (id, value) => { const input = $(id); if (input !== focus || input.tagName === "SELECT") input.value = value; };
  for (const id of ["model", "trajectory", "residual", "definitions", "strategy"]) set(id, given[id]);
  const list = given.weeks.map(String).join();
  if ($("week").dataset.list !== list) { $("week").dataset.list = list; $("week").replaceChildren(...given.weeks.map((week) => element("option", { value: week }, `week ${week}`))); }
  set("week", given.week);
  set("delta", given.delta); set("delta-box", given.delta); set("seed", given.seed);
  $("deltas").hidden = given.strategy !== "delta";
  if (given.morph !== null) set("morph", given.morph);
  $("morphed").textContent = given.morph === null ? "off" : `${Math.round(100 * given.morph)} %`;
  for (const button of document.querySelectorAll(".set")) button.setAttribute("aria-pressed", String(given.sets.includes(button.dataset.set)));
  const names = given.benchmarks.map((each) => each.category).join();
  if ($("benchmarks").dataset.list !== names) {
    $("benchmarks").dataset.list = names;
    $("benchmarks").replaceChildren(...given.benchmarks.map((each) => {
      const row = element("p", { class: "pair" }), id = `bar-${each.category}`;
      const range = element("input", { type: "range", min: 1, max: 99, step: 1, id });
      const box = element("input", { type: "number", min: 1, max: 99, step: 1, id: `${id}-box`, "aria-label": `Benchmark of ${each.label} in percent, as a number` });
      const say = (input, live) => change({ benchmarks: { ...page.settings.benchmarks, [each.category]: Number(input.value) / 100 } }, live);
      range.addEventListener("input", () => { box.value = range.value; say(range, true); });
      range.addEventListener("change", () => say(range, false));
      box.addEventListener("change", () => say(box, false));
      row.append(element("label", { for: id }, `Benchmark: share in ${each.label} to be exceeded, %`), range, box);
      return row;
    }));
  }
  for (const each of given.benchmarks) { set(`bar-${each.category}`, Math.round(100 * each.share)); set(`bar-${each.category}-box`, Number((100 * each.share).toPrecision(4))); }
}

for (const button of document.querySelectorAll(".set")) button.addEventListener("click", () => change({ sets: [button.dataset.set], morph: undefined, priors: undefined }));
$("morph").addEventListener("input", () => change({ morph: Number($("morph").value), priors: undefined }, true));
$("morph").addEventListener("change", () => change({ morph: Number($("morph").value), priors: undefined }));
$("unmorph").addEventListener("click", () => change({ morph: undefined }));
$("model").addEventListener("change", () => change({ model: $("model").value, priors: undefined, week: undefined }));
for (const id of ["trajectory", "residual", "strategy"]) $(id).addEventListener("change", () => change({ [id]: $(id).value }));
$("definitions").addEventListener("change", () => change({ definitions: $("definitions").value, benchmarks: undefined }));
$("week").addEventListener("change", () => change({ week: Number($("week").value) }));
$("delta").addEventListener("input", () => { $("delta-box").value = $("delta").value; });
for (const id of ["delta", "delta-box"]) $(id).addEventListener("change", () => change({ delta: Number($(id).value) }));
$("seed").addEventListener("change", () => change({ seed: Number($("seed").value) }));
$("dials").addEventListener("submit", (event) => event.preventDefault());
$("back").addEventListener("click", () => change_to({ ...page.protocol, model: page.settings.model }));
$("lock").addEventListener("click", () => { page.reference = page.last; answers_again(); });
$("unlock").addEventListener("click", () => { page.reference = page.first; answers_again(); });

function answers_again() { table(page.last); pictures(page.last); }

$("draw").addEventListener("click", () => { $("gallery").replaceChildren(); $("drawn").textContent = "ArviZ draws …"; line.send(JSON.stringify({ type: "arviz" })); });

function gallery(message) {
  if (!message.name) { $("drawn").textContent = message.count ? `${message.count} pictures of the settled fit as it was then.` : "There is no settled fit yet."; return; }
  const name = message.name.replace(/^\d+_/, "").replaceAll("_", " "), figure = element("figure");
  figure.append(element("img", { src: `arviz/${page.number}/${message.name}.svg?${Date.now()}`, alt: `ArviZ: ${name}` }), element("figcaption", {}, name));
  $("gallery").append(figure);
  $("drawn").textContent = `${message.count} drawn …`;
}

dials.experts.changed = () => { $("kept").textContent = dials.experts.summary; };
dials.experts.changed();
$("open").addEventListener("change", async () => {
  const [file] = $("open").files;
  if (file) $("opened").textContent = await dials.experts.open(file, page.settings);
  $("open").value = ""; // the same file may be opened again
});

const author = () => ({ who: $("who").value, why: $("why").value, seen: !$("unseen").checked });

for (const [id, sealed] of [["files", false], ["seal", true]])
  $(id).addEventListener("click", async () => { $("ran").textContent = await take({ settings: page.settings, experts: dials.experts.given, ...author() }, sealed); });
$("run").addEventListener("click", () => line.send(JSON.stringify({ type: "run", settings: page.settings, ...author() })));
