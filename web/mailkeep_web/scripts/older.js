// Older messages are fetched before the end of the list is reached, up to MAX_ROWS; from there on the link leads.
"use strict";

(() => {
  const pane = document.getElementById("list");
  if (!pane) return;
  const content = document.getElementById("list-content");
  const wide = matchMedia("(min-width: 56rem)");
  const MAX_ROWS = 400;
  const NEAR_PX = 800;
  let observer = null;
  let loading = null;

  const rows = () => document.getElementById("rows");
  const link = () => document.querySelector("#pager a[rel=next]:not([hidden])");
  const lastSeq = () => Number(rows()?.lastElementChild?.dataset.seq ?? 0);
  const mayGrow = () => Boolean(rows() && link()) && rows().childElementCount < MAX_ROWS;

  async function load() {
    if (loading || !mayGrow()) return;
    const { href } = link();
    loading = htmx.ajax("GET", `/inbox/rows${new URL(href).search}`, { target: "#rows", swap: "beforeend" });
    try {
      await loading;
    } catch {
      // no connection: the link is still there
    } finally {
      loading = null;
    }
    if (link()?.href !== href) watch();
  }

  // Begins anew after each page: what is near then says so at once.
  function watch() {
    observer?.disconnect();
    if (!mayGrow()) return;
    const root = wide.matches ? content.closest(".list-scroll") : null;
    observer = new IntersectionObserver(([entry]) => { if (entry.isIntersecting) load(); }, { root, rootMargin: `${NEAR_PX}px` });
    observer.observe(document.getElementById("pager"));
  }

  // Mail that goes on arriving pushes out what is last in the list, unless somebody is busy with it.
  function trim() {
    const list = rows();
    const next = document.querySelector("#pager a[rel=next]");
    while (list && list.childElementCount > MAX_ROWS) {
      const row = list.lastElementChild;
      if (row.matches(":focus-within") || row.querySelector(":checked, [aria-current]")) return;
      row.remove();
      const older = new URL(next.href);
      older.searchParams.set("before", list.lastElementChild.dataset.seq);
      next.setAttribute("href", older.pathname + older.search);
      next.hidden = false;
      next.parentElement.hidden = false;
    }
  }

  // How far the list went, kept with the page's place in the history: whoever comes back finds it as it was.
  const scroller = () => (wide.matches ? content.closest(".list-scroll") : document.scrollingElement);

  function remember() {
    const list = { last: lastSeq(), top: scroller().scrollTop };
    if (list.last) history.replaceState({ ...history.state, list }, "");
  }

  async function restore() {
    const left = history.state?.list;
    const [entry] = performance.getEntriesByType("navigation");
    if (!left || !["back_forward", "reload"].includes(entry?.type)) return;
    for (let pages = 0; pages < MAX_ROWS / 50 && mayGrow() && lastSeq() > left.last; pages += 1) await load();
    scroller().scrollTop = left.top;
  }

  window.addEventListener("pagehide", remember);
  document.addEventListener("mailkeep:list", () => { trim(); watch(); });
  wide.addEventListener("change", watch);
  restore().finally(watch);
})();
