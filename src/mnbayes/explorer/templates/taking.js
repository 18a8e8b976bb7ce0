// What a page hands over to be taken along: its pictures, each standing by itself, and its state.
import { element, shape } from "./drawn.js";

const PICTURES = ["shares", "weeks", "courses", "tipping"];
const SYNTHETIC = "SYNTHETIC cohort: no real patient.";
const synthetic = () => document.querySelector(".box.synthetic") !== null;

// The colours of the page are written into a copy, its paper too; letters are those that a PDF has inside.
function alone(svg) {
  const copy = svg.cloneNode(true), from = svg.querySelectorAll("*"), to = copy.querySelectorAll("*");
  from.forEach((each, i) => {
    const seen = getComputedStyle(each);
    for (const key of ["fill", "stroke", "stroke-width", "stroke-dasharray", "font-size"]) to[i].setAttribute(key, seen.getPropertyValue(key));
    to[i].setAttribute("font-family", "DejaVu Sans, sans-serif");
    to[i].removeAttribute("class");
  });
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number), page = getComputedStyle(document.body), more = synthetic() ? 14 : 0;
  copy.setAttribute("viewBox", `0 0 ${width} ${height + more}`);
  copy.setAttribute("height", height + more);
  copy.querySelector("title").after(shape("rect", { width, height: height + more, fill: page.backgroundColor }));
  if (more) {
    copy.querySelector("title").prepend("SYNTHETIC: ");
    copy.append(shape("text", { x: 4, y: height + 9, fill: page.color, "font-size": "8px", "font-family": "DejaVu Sans, sans-serif" }, SYNTHETIC));
  }
  return new XMLSerializer().serializeToString(copy);
}

function pictures() {
  const found = {};
  for (const id of PICTURES) document.querySelectorAll(`#${id} svg`).forEach((svg, i) => { found[`${id}_${i + 1}`] = alone(svg); });
  return found;
}

// Downloads the files of a state, and says what became of it.
export async function take(state, sealed) {
  const body = JSON.stringify({ ...state, pictures: sealed ? {} : pictures(), format: document.getElementById("format").value, sealed });
  const answer = await fetch("take", { method: "POST", body, headers: { "Content-Type": "application/json" } });
  if (!answer.ok) return answer.text();
  const link = element("a", { href: URL.createObjectURL(await answer.blob()), download: sealed ? "mnbayes-sealed.zip" : "mnbayes-explore.zip" });
  link.click();
  URL.revokeObjectURL(link.href);
  return sealed ? "Sealed. The date is this machine’s: send the hash to somebody, or register it." : "Downloaded.";
}
