// A reader needs none of this: without a script contents open by hand, and every word is there.
const contents = document.querySelector(".contents details");
const wide = matchMedia("(min-width: 76rem)");

// Only what scrolls takes a stop of the Tab key, and then says what it is.
function stops() {
  for (const box of document.querySelectorAll(".scroll")) {
    if (box.scrollWidth > box.clientWidth + 1) {
      const caption = box.querySelector("caption");
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", box.dataset.label || (caption && caption.textContent.trim()) || "Table");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  }
}
addEventListener("load", stops);
addEventListener("resize", stops);
document.addEventListener("toggle", stops, true); // what was folded has a width now

// Contents stand open in their column; as a bar they close when they have been used or left.
if (contents) {
  const fold = () => { contents.open = wide.matches; };
  fold();
  wide.addEventListener("change", fold);
  contents.addEventListener("click", (event) => { if (event.target.closest("a")) fold(); });
  contents.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !contents.contains(event.relatedTarget)) fold();
  });
  contents.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || wide.matches) return;
    fold();
    contents.querySelector("summary").focus();
  });
}
