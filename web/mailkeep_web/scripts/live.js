// New mail appears in the list by itself: server-sent events say that there is some, htmx fetches the rows.
"use strict";

(() => {
  const pane = document.getElementById("list");
  if (!pane || !pane.dataset.events) return;

  const state = document.getElementById("live-state");
  const news = document.getElementById("live-news");
  let busy = false;
  let again = false;
  let missed = false;

  function newestShown() {
    return document.querySelector("#rows [data-seq]")?.dataset.seq;
  }

  // What the reader looks at stays where it is: rows that arrive above it push the scroll position along.
  function scrollerOf(rows) {
    const scroller = rows.closest(".list-scroll");
    return scroller.scrollHeight > scroller.clientHeight ? scroller : document.scrollingElement;
  }

  async function fetchRows() {
    const url = new URL(pane.dataset.rows, location.href);
    const newest = newestShown();
    const rows = document.getElementById("rows");
    if (!newest || !rows) {
      await htmx.ajax("GET", url.pathname + url.search, { target: "#list-content", swap: "innerHTML" });
      announce(document.getElementById("rows")?.childElementCount ?? 0);
      await endWaiting();
      return;
    }
    url.searchParams.set("after", newest);
    const scroller = scrollerOf(rows);
    const before = { top: scroller.scrollTop, height: rows.getBoundingClientRect().height };
    const count = rows.childElementCount;
    scroller.style.overflowAnchor = "none";
    await htmx.ajax("GET", url.pathname + url.search, { target: "#rows", swap: "afterbegin" });
    const grown = rows.isConnected ? rows.getBoundingClientRect().height - before.height : 0;
    if (before.top > 0 && rows.offsetParent && grown > 0) scroller.scrollTop = before.top + grown;
    scroller.style.overflowAnchor = "";
    announce(rows.childElementCount - count);
  }

  // The advice to send a first mail has done its work, and on a narrow screen it hides the list.
  async function endWaiting() {
    if (!document.querySelector("#rows") || !document.querySelector("#reading[data-waiting]")) return;
    await htmx.ajax("GET", pane.dataset.inbox, { target: "#reading", select: "#reading", swap: "outerHTML" });
  }

  function announce(count) {
    if (count > 0) news.textContent = count === 1 ? "1 new message" : `${count} new messages`;
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
