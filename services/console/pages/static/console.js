// Keeps the parts of a page that carry `data-live` current. The server says when something has changed.
"use strict";

const RETRY_MILLISECONDS = 10000; // after the server refused the stream
const connection = document.getElementById("connection");
let shown = document.body.dataset.digest;
const served = new WeakMap(); // what the server sent of each part: other scripts change how a part looks
for (const part of document.querySelectorAll("[data-live]")) served.set(part, part.innerHTML);
let events;

function say(text) {
  if (connection.textContent !== text) connection.textContent = text;
}

/** What is ticked in `part`. */
function tickedBoxes(part) {
  return [...part.querySelectorAll("input:checked")].map((box) => `${box.name}=${box.value}`);
}

/** The address of the focused link in `part`, or null. */
function focusedAddress(part) {
  const focused = document.activeElement;
  return part.contains(focused) && focused.href ? focused.getAttribute("href") : null;
}

/** Replace what is in `part`, and keep the focus, opened details, ticked boxes and how far tables are scrolled. */
function replacePart(part, next) {
  if (served.get(part) === next.innerHTML && part.hidden === next.hidden) return;
  served.set(part, next.innerHTML);
  const address = focusedAddress(part);
  const scrolled = [...part.querySelectorAll(".wide, .scroll")].map((each) => [each.scrollLeft, each.scrollTop]);
  const opened = [...part.querySelectorAll("details")].map((each) => each.open);
  const ticked = new Set(tickedBoxes(part));
  part.hidden = next.hidden;
  part.replaceChildren(...next.childNodes);
  part.querySelectorAll(".wide, .scroll").forEach((each, index) => each.scrollTo(...(scrolled[index] ?? [0, 0])));
  part.querySelectorAll("details").forEach((each, index) => (each.open = opened[index] ?? each.open));
  part.querySelectorAll("input").forEach((box) => (box.checked ||= ticked.has(`${box.name}=${box.value}`)));
  if (address !== null) [...part.querySelectorAll("a")].find((link) => link.getAttribute("href") === address)?.focus();
}

async function refresh(digest) {
  if (digest === shown) return;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (fresh.body.dataset.parts !== document.body.dataset.parts) return location.reload(); // it has other scripts now
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next) replacePart(part, next);
  }
  shown = fresh.body.dataset.digest;
  document.dispatchEvent(new Event("refreshed"));
}

function listen() {
  events = new EventSource(`${document.body.dataset.root}/events`);
  events.addEventListener("changed", (event) =>
    refresh(event.data).then(() => say("live"), () => say("This page is old. Load it again.")));
  events.addEventListener("trouble", (event) => say(event.data));
  events.addEventListener("error", () => {
    say("no connection, trying again");
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, RETRY_MILLISECONDS);
  });
}

/** The arrow keys follow the links to the previous and the next clip, unless they move something else. */
function turnByKey(event) {
  const keys = { ArrowLeft: "prev", ArrowRight: "next" };
  const elsewhere = event.altKey || event.ctrlKey || event.metaKey || event.shiftKey;
  if (!(event.key in keys) || elsewhere || event.target.closest("input, select, textarea, .wide, .strip")) return;
  document.querySelector(`.turn a[rel="${keys[event.key]}"]`)?.click();
}

/** A form that is sent leaves this page. What the page shows may be gone before the next one is there. */
function stopFollowing(event) {
  if (!event.defaultPrevented) events.close();
}

document.addEventListener("keydown", turnByKey);
document.addEventListener("submit", stopFollowing);
listen();
