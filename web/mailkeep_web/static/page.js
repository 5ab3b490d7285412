// Small comforts on every page. Nothing here is needed to use it.
"use strict";

// Buttons that copy show themselves only where they can work: the clipboard needs https or this machine.
function offerCopying(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("button:is([data-copy], [data-copy-path])")) button.hidden = false;
}

async function copy(button) {
  const label = button.querySelector("[data-label]");
  const before = label.textContent;
  const { copy: text, copyPath: path } = button.dataset;
  try {
    await navigator.clipboard.writeText(path ? new URL(path, location.href).href : text);
    label.textContent = "Copied";
    button.dataset.copied = "";
  } catch {
    label.textContent = "Not allowed";
  }
  setTimeout(() => {
    label.textContent = before;
    delete button.dataset.copied;
  }, 2000);
}

// A filter that applies itself needs no button of its own.
function applyFiltersAtOnce(root) {
  for (const form of root.querySelectorAll("form[data-autosubmit]")) {
    form.querySelector("button[data-apply]").hidden = true;
    form.addEventListener("change", (event) => {
      if (event.target.matches("select")) form.requestSubmit();
    });
  }
}

// After a part was replaced the keyboard must not be left on something that is gone or hidden.
function keepFocus() {
  const active = document.activeElement;
  if (active && active !== document.body && active.checkVisibility()) return;
  document.getElementById("reading-title")?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button:is([data-copy], [data-copy-path])");
  if (button) copy(button);
  for (const open of document.querySelectorAll("details.confirm[open]")) {
    if (!open.contains(event.target)) open.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const open of document.querySelectorAll("details.confirm[open]")) {
    open.open = false;
    open.querySelector("summary").focus();
  }
});

document.addEventListener("htmx:afterSettle", (event) => {
  offerCopying(event.target);
  keepFocus();
});

// A part that cannot be had (the message is gone, say) is asked for as a page, which says why.
document.addEventListener("htmx:responseError", (event) => {
  if (event.detail.boosted) location.assign(event.detail.pathInfo.requestPath);
});

offerCopying(document);
applyFiltersAtOnce(document);
