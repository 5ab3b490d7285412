// While an export is written, the page shows how far it is. The browser saves the file by itself.
"use strict";

(() => {
  const box = document.getElementById("progress");
  const bar = box.querySelector("progress");
  const words = document.getElementById("progress-words");
  const link = document.getElementById("download");
  let events = null;

  function show(percent) {
    box.hidden = false;
    if (percent === null) bar.removeAttribute("value");
    else bar.value = percent;
  }

  function end(event) {
    events.close();
    events = null;
    link.removeAttribute("aria-disabled");
    if (event.data === "begun") {
      bar.value = 100;
      words.textContent = "The export has ended. A file that opens is complete; if your browser says that the download failed, begin it again.";
    } else {
      box.hidden = true;
    }
  }

  function follow() {
    if (events) return;
    events = new EventSource(box.dataset.events);
    events.addEventListener("progress", (event) => {
      show(Number(event.data));
      words.textContent = `Writing the archive: ${event.data} %`;
    });
    events.addEventListener("end", end);
  }

  link.addEventListener("click", (event) => {
    if (link.getAttribute("aria-disabled")) {
      event.preventDefault();
      return;
    }
    // Not before the browser has followed the link.
    setTimeout(() => {
      link.setAttribute("aria-disabled", "true");
      show(null);
      words.textContent = "The archive is about to begin …";
      follow();
    });
  });

  if (!box.hidden) follow();
})();
