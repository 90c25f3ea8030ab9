// Keeps a page up to date and asks for confirmation in place. Without it the
// page does the same by being loaded again.
"use strict";

const every = 5000; // ms between looks
const patience = 15000; // ms until a look counts as failed
let failures = 0;

// refresh replaces the parts marked "live" by what the server shows now, where
// that is different, and leaves alone what somebody is using.
async function refresh() {
  if (!document.hidden) {
    try {
      const answer = await fetch(location.href, {cache: "no-store", signal: AbortSignal.timeout(patience)});
      if (!answer.ok && answer.status !== 404) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      const stale = fresh.getElementById("stale");
      if (stale) document.getElementById("stale").textContent = stale.textContent;
      document.querySelectorAll(".live").forEach((old) => {
        const now = fresh.getElementById(old.id);
        if (now) replace(old, now);
      });
      failures = 0;
    } catch {
      failures++;
    }
    document.getElementById("stale").hidden = failures < 2;
  }
  setTimeout(refresh, every * Math.min(1 + failures, 6));
}

function replace(old, now) {
  const open = new Set(Array.from(old.querySelectorAll("details[open]"), (d) => d.id));
  now.querySelectorAll("details").forEach((d) => { d.open = open.has(d.id); });
  if (old.innerHTML === now.innerHTML && old.className === now.className) return;
  const selected = getSelection();
  if (!selected.isCollapsed && selected.containsNode(old, true)) return;
  const focus = old.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  old.className = now.className;
  old.replaceChildren(...now.childNodes);
  if (focus) old.querySelector(`[href="${CSS.escape(focus)}"]`)?.focus();
}

// ask shows the page that a link leads to as a question on this one.
async function ask(event) {
  const link = event.target.closest("a.ask");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || !window.HTMLDialogElement) return;
  event.preventDefault();
  try {
    const answer = await fetch(link.href, {cache: "no-store", signal: AbortSignal.timeout(patience)});
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const question = page.querySelector(".question");
    if (!answer.ok || answer.redirected || !question) throw new Error("no question");
    const dialog = document.createElement("dialog");
    dialog.append(...page.querySelectorAll("main > .wrong"), question);
    dialog.addEventListener("close", () => dialog.remove());
    dialog.querySelector("a.back").addEventListener("click", (e) => { e.preventDefault(); dialog.close(); });
    document.body.append(dialog);
    dialog.showModal();
  } catch {
    location.href = link.href;
  }
}

// what was said of an act is said once
if (/[?&](did|retried)=/.test(location.search)) {
  const address = new URL(location.href);
  address.searchParams.delete("did");
  address.searchParams.delete("retried");
  history.replaceState(null, "", address);
}
if ("live" in document.body.dataset) setTimeout(refresh, every);
document.addEventListener("click", ask);
