// Keeps the parts of a page marked data-live up to date. Without this script
// the same pages work by reloading.
"use strict";

let revision = document.body.dataset.revision; // of what is shown
let busy = false;
let again = false;

// refresh fetches this page anew and puts its live parts in place of ours.
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      revision = fresh.body.dataset.revision;
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        if (next && next.innerHTML !== part.dataset.seen) replace(part, next);
      }
    }
  } catch { /* the stream reconnects, and then we come back here */ }
  busy = false;
  if (again) { again = false; refresh(); }
}

// replace keeps the focus and what the reader has opened.
function replace(part, next) {
  const open = [...part.querySelectorAll("details[open]")].map((d) => d.id);
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const href = focused?.getAttribute("href");
  part.dataset.seen = next.innerHTML;
  part.replaceChildren(...next.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (href) [...part.querySelectorAll("a")].find((a) => a.getAttribute("href") === href)?.focus();
}

document.addEventListener("submit", async (submit) => {
  const form = submit.target;
  if (!form.matches("[data-quiet]")) return;
  submit.preventDefault();
  const fields = new URLSearchParams(new FormData(form, submit.submitter));
  await fetch(form.action, { method: "POST", body: fields }).catch(() => {});
  refresh();
});

// A browser opens few connections to one server, so tabs in the background
// give theirs back. The first message after that brings them up to date.
let stream;
function listen() {
  stream?.close();
  if (document.hidden) return;
  stream = new EventSource(document.body.dataset.stream);
  stream.onmessage = (message) => { if (message.data !== revision) refresh(); };
}
document.addEventListener("visibilitychange", listen);
listen();
