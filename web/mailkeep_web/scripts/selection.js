// Messages are selected and changed without leaving the page. Without this the form does the same.
"use strict";

(() => {
  const form = document.getElementById("selection");
  if (!form) return;
  const pane = document.getElementById("list");
  const content = document.getElementById("list-content");
  const shownLabel = form.querySelector("[data-shown]");
  const shown = shownLabel.querySelector("input");
  const foundLabel = form.querySelector("[data-found]");
  const found = foundLabel.querySelector("input");
  const count = form.querySelector("[data-count]");
  const question = form.querySelector("[data-question]");
  const asked = question.textContent;
  const notice = document.getElementById("notice");
  const NOTICE_MS = 8000;
  let fading = 0;
  let last = null; // the box that was ticked last: a click with shift ticks all from there

  const boxes = () => [...content.querySelectorAll("input[name=id]")];
  const ticked = () => boxes().filter((box) => box.checked);
  const hasMore = () => Boolean(document.querySelector("#pager a[rel=next]:not([hidden])"));
  const boxOf = (id) => boxes().find((box) => box.value === id);
  const rowOf = (box) => box.closest("li").querySelector(".row");

  function update() {
    const all = boxes();
    const some = all.filter((box) => box.checked);
    const isAll = all.length > 0 && some.length === all.length;
    if (!isAll) found.checked = false;
    shown.checked = isAll;
    shown.indeterminate = some.length > 0 && !isAll;
    shown.disabled = all.length === 0;
    foundLabel.hidden = !(isAll && hasMore());
    count.textContent = found.checked ? "All selected" : some.length ? `${some.length} selected` : "Select";
    form.toggleAttribute("data-some", some.length > 0);
    question.textContent = found.checked
      ? "Every message that this list goes on to, its source and its attachments will be gone for good."
      : some.length === 1 ? "The message, its source and its attachments will be gone for good." : asked;
  }

  function tick(list, on) {
    for (const box of list) box.checked = on;
    update();
  }

  content.addEventListener("click", (event) => {
    const box = event.target.closest("input[name=id]");
    if (!box) return;
    const all = boxes();
    const from = all.indexOf(last);
    if (event.shiftKey && from >= 0) {
      const to = all.indexOf(box);
      for (const each of all.slice(Math.min(from, to), Math.max(from, to) + 1)) each.checked = box.checked;
    }
    last = box;
  });
  content.addEventListener("change", update);
  shown.addEventListener("change", () => tick(boxes(), shown.checked));
  found.addEventListener("change", update);

  // Where the keyboard goes on: the first message that stays after those that go, else the last before them.
  function heir(going) {
    const all = boxes();
    const first = all.indexOf(going[0]);
    return all.slice(first).find((box) => !going.includes(box)) ?? all.slice(0, first).findLast((box) => !going.includes(box));
  }

  function markRead(box, read) {
    const row = rowOf(box);
    row.classList.toggle("unread", !read);
    const word = row.querySelector(".unread-word");
    if (read) word?.remove();
    else if (!word) row.querySelector(".from").insertAdjacentHTML("afterbegin", '<span class="unread-word visually-hidden">Unread, from </span>');
  }

  async function closeMessage() {
    const inbox = pane.dataset.here;
    await htmx.ajax("GET", inbox, { target: "#reading", select: "#reading", swap: "outerHTML" });
    history.pushState({ htmx: true }, "", inbox);
  }

  async function fetchList() {
    if (!pane.dataset.rows) location.assign(pane.dataset.here);
    else await htmx.ajax("GET", pane.dataset.rows, { target: "#list-content", swap: "innerHTML" });
  }

  // A message that is gone cannot stay open, and one that is to be unread must not.
  function closes(action, ids, all) {
    const open = document.getElementById("reading").dataset.message;
    return Boolean(open) && action !== "read" && (all || ids.includes(open));
  }

  // What went well need not be read for ever; what did not stays.
  function fade() {
    fading = setTimeout(() => notice.replaceChildren(), NOTICE_MS);
  }

  function say(words) {
    const paragraph = Object.assign(document.createElement("p"), { className: "note danger", role: "alert", textContent: words });
    notice.replaceChildren(paragraph);
  }

  async function change(action, going, all) {
    const ids = going.map((box) => box.value);
    const next = heir(going);
    const values = { action, newest: content.querySelector("[data-seq]").dataset.seq };
    if (all) values.all = "1";
    else values.id = ids;
    form.querySelector("details").open = false;
    clearTimeout(fading);
    notice.replaceChildren();
    try {
      await htmx.ajax("POST", form.getAttribute("action"), { target: "#notice", swap: "innerHTML", values });
    } catch {
      say("No connection: nothing is known to have changed.");
      return;
    }
    if (!notice.firstElementChild) {
      say("That did not work. Reload the page to see what has changed.");
      return;
    }
    fade();
    if (closes(action, ids, all)) await closeMessage();
    if (action === "delete") for (const box of going) box.closest("li").remove();
    else for (const box of going) markRead(box, action === "read");
    if (all || !boxes().length) await fetchList();
    tick(boxes(), false);
    document.dispatchEvent(new CustomEvent("mailkeep:list"));
    (next?.isConnected ? rowOf(next) : content.querySelector(".row") ?? shown).focus();
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const going = ticked();
    if (going.length) change(event.submitter?.value ?? "read", going, found.checked);
  });

  // The message's own buttons do the same to its row, where the list has it.
  document.addEventListener("submit", (event) => {
    const action = event.target.dataset.change ?? (event.target.closest("#reading .confirm") ? "delete" : "");
    const box = boxOf(document.getElementById("reading").dataset.message);
    if (!action || !box) return;
    event.preventDefault();
    change(action, [box], false);
  });

  // What a key is for: what is selected, else the row that has the focus, else the message that is open.
  function meant() {
    const some = ticked();
    if (some.length) return some;
    const row = document.activeElement?.closest?.("#rows .row");
    const box = row ? row.closest("li").querySelector("input[name=id]") : boxOf(document.getElementById("reading").dataset.message);
    return box ? [box] : [];
  }

  document.addEventListener("mailkeep:toggle-selected", () => {
    const row = document.activeElement?.closest?.("#rows .row");
    const box = row?.closest("li").querySelector("input[name=id]");
    if (box) tick([box], !box.checked);
  });
  document.addEventListener("mailkeep:select-none", () => tick(boxes(), false));
  document.addEventListener("mailkeep:toggle-read", () => {
    const going = meant();
    if (!going.length) document.querySelector("#reading form[data-change=unread]")?.requestSubmit();
    else change(going.some((box) => rowOf(box).classList.contains("unread")) ? "read" : "unread", going, found.checked);
  });
  document.addEventListener("mailkeep:ask-delete", () => {
    const going = meant();
    const asks = going.length && form.checkVisibility() ? form : document.querySelector("#reading .message-head");
    if (!asks) return;
    if (asks === form) tick(going, true);
    asks.querySelector("details.confirm").open = true;
    asks.querySelector("details.confirm button").focus();
  });
  document.addEventListener("htmx:afterSettle", update);

  shownLabel.hidden = false;
  form.dataset.script = "";
  notice.dataset.floating = "";
  if (notice.firstElementChild) fade();
  document.getElementById("main").prepend(notice); // on a narrow screen the list's pane may be hidden
  update();
})();
