// Suggests the operators of a search that begin like the word at the cursor. A combobox with a list (WAI-ARIA 1.2).
"use strict";

(() => {
  const field = document.getElementById("q");
  const list = document.getElementById("q-suggestions");
  if (!field || !list) return;
  const options = [...list.querySelectorAll("[role=option]")];
  let active = null;

  const shown = () => options.filter((option) => !option.hidden);

  // The word at the cursor without what negates it, and where it is.
  function word() {
    const end = field.selectionStart ?? field.value.length;
    const start = Math.max(field.value.lastIndexOf(" ", end - 1), -1) + 1;
    const negated = field.value.startsWith("-", start) ? 1 : 0;
    return { start: start + negated, end, text: field.value.slice(start + negated, end).toLowerCase() };
  }

  function point(option) {
    active?.setAttribute("aria-selected", "false");
    active = option;
    active?.setAttribute("aria-selected", "true");
    active?.scrollIntoView({ block: "nearest" });
    if (active) field.setAttribute("aria-activedescendant", active.id);
    else field.removeAttribute("aria-activedescendant");
  }

  function open(text) {
    for (const option of options) {
      const { insert } = option.dataset;
      option.hidden = !insert.startsWith(text) || insert === text;
    }
    point(null);
    list.hidden = shown().length === 0;
    field.setAttribute("aria-expanded", String(!list.hidden));
  }

  function close() {
    list.hidden = true;
    field.setAttribute("aria-expanded", "false");
    point(null);
  }

  function choose(option) {
    const { start, end } = word();
    const insert = option.dataset.insert.endsWith(":") ? option.dataset.insert : `${option.dataset.insert} `;
    field.setRangeText(insert, start, end, "end");
    close();
    field.focus();
  }

  function move(by) {
    if (list.hidden) {
      open(word().text);
      if (list.hidden) return;
    }
    const all = shown();
    const at = all.indexOf(active) + by;
    point(all[(at + all.length + (active || by > 0 ? 0 : 1)) % all.length]);
  }

  field.setAttribute("role", "combobox");
  field.setAttribute("aria-controls", list.id);
  field.setAttribute("aria-autocomplete", "list");
  field.setAttribute("aria-expanded", "false");
  field.addEventListener("input", () => (word().text ? open(word().text) : close()));
  field.addEventListener("blur", close);
  field.addEventListener("keydown", (event) => {
    if (event.isComposing || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") move(event.key === "ArrowDown" ? 1 : -1);
    else if (event.key === "Escape" && !list.hidden) close();
    else if ((event.key === "Enter" || event.key === "Tab") && active) choose(active);
    else return;
    event.preventDefault();
  });
  list.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
  list.addEventListener("click", (event) => {
    const option = event.target.closest("[role=option]");
    if (option) choose(option);
  });
})();
