// The message beside the list: which row is its, and how it is closed again.
"use strict";

(() => {
  const pane = document.getElementById("list");
  if (!pane) return;
  const narrow = matchMedia("(max-width: 55.99rem)");
  let shown = document.getElementById("reading").dataset.message;
  let listTop = 0; // where the list was left when a message took its place

  const rowOf = (id) => (id ? document.getElementById(`row-${id}`) : null);

  function markRead(row) {
    row.classList.remove("unread");
    row.querySelector(".unread-word")?.remove();
  }

  function showCurrent() {
    const id = document.getElementById("reading").dataset.message;
    for (const row of document.querySelectorAll("#rows .row[aria-current]")) row.removeAttribute("aria-current");
    const row = rowOf(id);
    if (row) {
      row.setAttribute("aria-current", "true");
      markRead(row);
      row.scrollIntoView({ block: "nearest" });
    }
    if (shown && !id) comeBack(rowOf(shown));
    shown = id;
  }

  // The list is where it was, and the keyboard is on the message that was read.
  function comeBack(row) {
    if (narrow.matches) document.scrollingElement.scrollTop = listTop;
    const focused = document.activeElement;
    if (!focused || focused === document.body || !focused.checkVisibility()) row?.focus({ preventScroll: !narrow.matches });
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target?.id === "reading" && !shown && narrow.matches) listTop = document.scrollingElement.scrollTop;
  });
  document.addEventListener("htmx:afterSwap", (event) => {
    if (event.target.id === "reading") showCurrent();
  });

  // Back and forward within one list change the message only; the list stays as it is.
  function filterOf(address) {
    const query = new URL(address, location.href).searchParams;
    return ["address", "q", "before"].map((name) => query.get(name) ?? "").join("\n");
  }

  window.addEventListener("popstate", (event) => {
    const isOfList = location.pathname === "/inbox" || location.pathname.startsWith("/messages/");
    if (!isOfList || filterOf(location.href) !== filterOf(pane.dataset.here)) return;
    event.stopImmediatePropagation();
    htmx.ajax("GET", location.pathname + location.search, { target: "#reading", select: "#reading", swap: "outerHTML" });
  }, true);
})();
