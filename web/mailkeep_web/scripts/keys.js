// The keys that users of mail clients know. None of them works while something is being typed or a dialog is open.
"use strict";

(() => {
  const sheet = document.getElementById("help");
  if (!sheet) return;
  const button = document.getElementById("show-help");

  const isVisible = (element) => Boolean(element?.checkVisibility());
  const rows = () => [...document.querySelectorAll("#rows .row")];
  const say = (name) => document.dispatchEvent(new CustomEvent(`mailkeep:${name}`));

  function isReading() {
    const reading = document.getElementById("reading");
    return reading.contains(document.activeElement) || !isVisible(document.querySelector("#rows .row"));
  }

  // In the list the focus moves; in a message, or where a message hides the list, the next one is opened.
  function step(by) {
    const link = document.querySelector(`#reading a[rel=${by > 0 ? "next" : "prev"}]`);
    if (isReading()) {
      link?.click();
      return;
    }
    const all = rows();
    const at = all.indexOf(document.activeElement?.closest?.("#rows li")?.querySelector(".row")
      ?? document.querySelector("#rows .row[aria-current]"));
    const row = at < 0 ? all[0] : all[at + by];
    row?.focus();
    row?.scrollIntoView({ block: "nearest" });
  }

  function search() {
    const field = document.getElementById("q");
    if (isVisible(field)) {
      field.focus();
      field.select();
    } else {
      location.assign("/inbox#q");
    }
  }

  function open() {
    const row = document.activeElement?.closest?.("#rows li")?.querySelector(".row");
    row?.click();
  }

  const keys = {
    j: () => step(1),
    k: () => step(-1),
    o: open,
    u: () => document.querySelector("#reading .back")?.click(),
    x: () => say("toggle-selected"),
    e: () => say("toggle-read"),
    "#": () => say("ask-delete"),
    "/": search,
    "?": () => sheet.showModal(),
  };

  const isTyping = (target) => target.closest("input:not([type=checkbox]), select, textarea, [contenteditable]") !== null;

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing || event.repeat && event.key !== "j" && event.key !== "k") return;
    if (event.ctrlKey || event.altKey || event.metaKey || isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape" && !document.querySelector("details.confirm[open]")) say("select-none");
    const act = Object.hasOwn(keys, event.key) ? keys[event.key] : null;
    if (!act) return;
    event.preventDefault();
    act();
  }, true); // before the page's own Escape has closed what is open

  button.hidden = false;
  button.addEventListener("click", () => sheet.showModal());
  if (location.hash === "#q") document.getElementById("q").focus();
})();
