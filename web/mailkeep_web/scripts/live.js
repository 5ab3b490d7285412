// New mail appears in the list by itself: server-sent events say that there is some, htmx fetches the rows.
"use strict";

(() => {
  const pane = document.getElementById("list");
  if (!pane || !pane.dataset.events) return;

  const SLIDE_MS = 180;
  const state = document.getElementById("live-state");
  const news = document.getElementById("live-news");
  const pill = document.getElementById("new-above");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let busy = false;
  let again = false;
  let missed = false;
  let above = 0; // new rows above what the reader sees

  function newestShown() {
    return document.querySelector("#rows [data-seq]")?.dataset.seq;
  }

  function scrollerOf(rows) {
    const scroller = rows.closest(".list-scroll");
    return getComputedStyle(scroller).overflowY === "auto" ? scroller : document.scrollingElement;
  }

  async function fetchRows() {
    const url = new URL(pane.dataset.rows, location.href);
    const newest = newestShown();
    const rows = document.getElementById("rows");
    if (!newest || !rows) {
      await htmx.ajax("GET", url.pathname + url.search, { target: "#list-content", swap: "innerHTML" });
      announce([...(document.getElementById("rows")?.children ?? [])]);
      await endWaiting();
      return;
    }
    url.searchParams.set("after", newest);
    const scroller = scrollerOf(rows);
    const first = rows.firstElementChild;
    const before = { top: scroller.scrollTop, height: rows.getBoundingClientRect().height };
    scroller.style.overflowAnchor = "none";
    await htmx.ajax("GET", url.pathname + url.search, { target: "#rows", swap: "afterbegin" });
    const grown = rows.isConnected ? rows.getBoundingClientRect().height - before.height : 0;
    const moved = grown > 0 && rows.offsetParent ? makeRoom(scroller, rows, before.top, grown) : null;
    scroller.style.overflowAnchor = "";
    announce(rowsAbove(first));
    await moved;
  }

  // What the reader looks at stays where it is. At the top of the list new rows push the others down, as one movement
  // that is over before the next begins.
  function makeRoom(scroller, rows, top, grown) {
    if (top > 0) scroller.scrollTop = top + grown;
    if (top > 0 || document.hidden) return null;
    const duration = still.matches ? 1 : SLIDE_MS;
    const slide = rows.animate([{ transform: `translateY(${-grown}px)` }, { transform: "none" }], { duration, easing: "ease-out" });
    return Promise.race([slide.finished, new Promise((resolve) => setTimeout(resolve, 2 * SLIDE_MS))]);
  }

  function rowsAbove(first) {
    const all = [...(document.getElementById("rows")?.children ?? [])];
    return first.isConnected ? all.slice(0, all.indexOf(first)) : all;
  }

  // The advice to send a first mail has done its work, and on a narrow screen it hides the list.
  async function endWaiting() {
    if (!document.querySelector("#rows") || !document.querySelector("#reading[data-waiting]")) return;
    await htmx.ajax("GET", pane.dataset.here, { target: "#reading", select: "#reading", swap: "outerHTML" });
  }

  function announce(items) {
    if (!items.length) return;
    const words = (count) => (count === 1 ? "1 new message" : `${count} new messages`);
    news.textContent = words(items.length);
    above = isAtTop() ? 0 : above + items.length;
    pill.hidden = above === 0;
    pill.querySelector("span").textContent = words(above);
    document.dispatchEvent(new CustomEvent("mailkeep:arrived", { detail: items }));
    document.dispatchEvent(new CustomEvent("mailkeep:list"));
  }

  function isAtTop() {
    const rows = document.getElementById("rows");
    return !rows || scrollerOf(rows).scrollTop <= 0;
  }

  function seen() {
    if (above && isAtTop()) {
      above = 0;
      pill.hidden = true;
    }
  }

  // One request at a time; whatever is said meanwhile leads to exactly one more.
  async function refresh() {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    try {
      do {
        again = false;
        await fetchRows();
      } while (again);
      missed = false;
    } catch {
      missed = true; // no connection: the stream opens again when there is one
    } finally {
      busy = false;
    }
  }

  function show(on) {
    state.dataset.state = on ? "on" : "off";
    state.textContent = on ? "Live" : "Reconnecting";
  }

  pill.addEventListener("click", () => {
    scrollerOf(document.getElementById("rows")).scrollTo({ top: 0, behavior: still.matches ? "instant" : "smooth" });
    document.querySelector("#rows .row")?.focus({ preventScroll: true });
  });
  document.addEventListener("scroll", seen, { capture: true, passive: true });

  const events = new EventSource(pane.dataset.events);
  events.addEventListener("open", () => {
    show(true);
    if (missed) refresh();
  });
  events.addEventListener("error", () => show(false));
  events.addEventListener("mail", refresh);
  events.addEventListener("logout", () => {
    events.close();
    state.textContent = "Logged out";
  });
  state.hidden = false;
  document.getElementById("refresh").hidden = true;
})();
