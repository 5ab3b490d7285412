// Tells of new mail while another tab is looked at: in the title, and, for who asked for it, by a notification.
"use strict";

(() => {
  const sheet = document.getElementById("notifications");
  if (!sheet) return;
  const KEY = "mailkeep.notifications";
  const AT_ONCE = 3;
  const button = document.getElementById("show-notifications");
  const toggle = sheet.querySelector("[data-toggle]");
  const state = sheet.querySelector("[data-state]");
  let unseen = 0;

  function showCount() {
    const title = document.title.replace(/^\(\d+\) /, "");
    const wanted = unseen ? `(${unseen}) ${title}` : title;
    if (document.title !== wanted) document.title = wanted;
  }

  function isOn() {
    try {
      return localStorage.getItem(KEY) === "on" && Notification.permission === "granted";
    } catch {
      return false; // the browser keeps nothing for this site
    }
  }

  function show() {
    const on = isOn();
    toggle.textContent = on ? "Turn off" : "Turn on";
    button.setAttribute("aria-pressed", String(on));
    if (Notification.permission === "denied") state.textContent = "This browser was told not to show notifications of this site. Its settings can allow them again.";
    else state.textContent = on ? "They are on in this browser." : "They are off.";
  }

  async function flip() {
    if (isOn()) localStorage.removeItem(KEY);
    else if ((await Notification.requestPermission()) === "granted") localStorage.setItem(KEY, "on");
    show();
  }

  // Sender and subject only; the tag keeps two tabs from telling the same thing twice.
  function tell(title, body, tag, address) {
    const notification = new Notification(title, { body, tag, icon: document.querySelector("link[rel=icon]").href });
    notification.addEventListener("click", () => {
      window.focus();
      [...document.querySelectorAll("#rows .row")].find((row) => row.getAttribute("href") === address)?.click();
      notification.close();
    });
  }

  function notify(items) {
    if (items.length > AT_ONCE) {
      tell("Mailkeep", `${items.length} new messages`, items[0].dataset.seq, "");
      return;
    }
    for (const item of items) {
      const row = item.querySelector(".row");
      tell(row.querySelector(".from bdi").textContent, row.querySelector(".subject").textContent, item.dataset.seq, row.getAttribute("href"));
    }
  }

  document.addEventListener("mailkeep:arrived", (event) => {
    if (document.visibilityState === "visible" && document.hasFocus()) return;
    unseen += event.detail.length;
    showCount();
    if ("Notification" in window && isOn()) notify(event.detail);
  });
  function seen() {
    unseen = 0;
    showCount();
  }
  window.addEventListener("focus", seen);
  document.addEventListener("visibilitychange", () => { if (document.visibilityState === "visible") seen(); });
  document.addEventListener("htmx:afterSettle", showCount);

  if (!("Notification" in window) || !window.isSecureContext) return;
  button.hidden = false;
  button.addEventListener("click", () => {
    show();
    sheet.showModal();
  });
  toggle.addEventListener("click", flip);
  show();
})();
