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
        if (next) morph(part, next);
      }
    }
  } catch { /* the stream reconnects, and then we come back here */ }
  busy = false;
  if (again) { again = false; refresh(); }
}

// morph makes old what next is, and keeps of it what is the same: the focus, what the reader has opened, and the link
// that is just being clicked. Children with an id stay themselves wherever they go.
function morph(old, next) {
  if (old.isEqualNode(next)) return;
  if (old.nodeType !== Node.ELEMENT_NODE) { old.nodeValue = next.nodeValue; return; }
  for (const { name } of [...old.attributes]) if (!next.hasAttribute(name) && name !== "open") old.removeAttribute(name);
  for (const { name, value } of next.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const child of [...next.childNodes]) {
    const same = child.id ? named.get(child.id) : at;
    if (!same || same.nodeName !== child.nodeName || (same.id ?? "") !== (child.id ?? "")) { old.insertBefore(child, at); continue; }
    if (same === at) at = at.nextSibling; else old.insertBefore(same, at);
    morph(same, child);
  }
  while (at) { const rest = at.nextSibling; at.remove(); at = rest; }
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
