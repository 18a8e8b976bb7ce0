// The page of a paper's facts.
import { element } from "./drawn.js";

const $ = (id) => document.getElementById(id);
const page = { n: 0, settings: { readings: {}, sets: ["weak"], priors: {} }, before: new Map() };
const here = new URL("facts/live", location.href);
here.protocol = here.protocol === "https:" ? "wss:" : "ws:";
const line = new WebSocket(here);
line.addEventListener("message", (event) => receive(JSON.parse(event.data)));
line.addEventListener("close", () => { $("state").textContent = "The explorer has stopped."; });
const short = (value) => Number(value.toPrecision(3)).toString();

function wish() {
  page.n += 1;
  $("state").textContent = "Summed again, over every reading; some seconds …";
  line.send(JSON.stringify({ type: "set", n: page.n, settings: page.settings }));
}

function receive(message) {
  if (message.type === "problem") { $("problem").textContent = message.text; $("state").textContent = ""; return; }
  if (message.type !== "facts") return;
  $("problem").textContent = "";
  const now = new Map();
  $("rows").tBodies[0].replaceChildren(...message.rows.map((row) => {
    const key = `${row.part}: ${row.label}`, found = element("tr");
    now.set(key, row.now);
    found.append(element("th", { scope: "row" }, `${row.label} (${row.part})`), ...[row.prior, row.now, row.readings, page.before.get(key) || ""].map((text) => element("td", {}, text)));
    return found;
  }));
  page.before = now;
  $("headline").textContent = message.converged && message.rows.length ? `${message.rows[0].label}: ${message.rows[0].now}` : "No answer: the sums are not to be trusted.";
  $("state").textContent = "Exact sums; no seed matters.";
  $("flags").replaceChildren(...message.reasons.concat(message.impossible.map((text) => `Under another reading the facts cannot be true: ${text}`)).map((text) => element("li", { class: "note" }, text)));
  for (const [name, values] of Object.entries(message.beliefs))
    for (const [key, value] of Object.entries(values))
      for (const input of document.querySelectorAll(`[data-name="${name}"] [data-key="${key}"]`)) {
        if (input === document.activeElement) continue;
        input.value = input.type === "range" ? place(input, value) : short(value);
      }
  document.body.dataset.n = String(message.n);
}

const place = (range, value) => String(Math.round((1000 * Math.log(value / range.dataset.least)) / Math.log(range.dataset.most / range.dataset.least)));
const value = (range) => range.dataset.least * (range.dataset.most / range.dataset.least) ** (range.value / 1000);

for (const input of document.querySelectorAll("input[type=radio]")) input.addEventListener("change", () => { page.settings.readings[input.name] = input.value; wish(); });
for (const button of document.querySelectorAll(".set")) button.addEventListener("click", () => {
  for (const each of document.querySelectorAll(".set")) each.setAttribute("aria-pressed", String(each === button));
  page.settings.sets = [button.dataset.set];
  page.settings.priors = {};
  wish();
});
for (const dial of document.querySelectorAll(".dial")) for (const range of dial.querySelectorAll("input[type=range]")) {
  const box = dial.querySelector(`input[type=number][data-key="${range.dataset.key}"]`);
  const say = () => {
    const at = Object.fromEntries([...dial.querySelectorAll("input[type=number]")].map((each) => [each.dataset.key, Number(each.value)]));
    page.settings.priors[dial.dataset.name] = "below" in at ? `95% below ${at.below} on sd` : `90% between ${at.low} and ${at.high} on gmr`;
    wish();
  };
  range.addEventListener("input", () => { box.value = short(value(range)); });
  range.addEventListener("change", say);
  box.addEventListener("change", say);
}
$("dials").addEventListener("submit", (event) => event.preventDefault());
