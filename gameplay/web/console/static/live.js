// Live updates: on news of the head the sections that say so are asked for again, and put in the place of the old ones.

import { localTimes } from "./times.js";

const EVERY_MS = 1000;
const body = document.body;
let known = null; // the news that this page shows
let timer = null;

export function live() {
  if (!("position" in body.dataset) || "past" in body.dataset) return;
  known = { position: Number(body.dataset.position), decided: null, moved: null };
  const channel = "SharedWorker" in window ? shared() : own();
  const say = () => channel(document.visibilityState === "visible");
  document.addEventListener("visibilitychange", say);
  say();
}

// One stream for all tabs of the browser.
function shared() {
  const worker = new SharedWorker(body.dataset.worker, { name: "rps-live" });
  worker.port.onmessage = ({ data }) => hear(data);
  worker.port.start();
  addEventListener("pagehide", () => worker.port.postMessage({ gone: true }));
  return (visible) => worker.port.postMessage({ visible, url: `${body.dataset.root}/live` });
}

// Where a browser has no shared worker: a stream of one's own, closed while the tab is hidden.
function own() {
  let source = null;
  return (visible) => {
    if (!visible) { source?.close(); source = null; return; }
    if (source) return;
    source = new EventSource(`${body.dataset.root}/live`);
    source.addEventListener("error", () => hear({ connected: false }));
    source.addEventListener("head", (event) => hear({ connected: true, news: JSON.parse(event.data) }));
  };
}

function hear({ connected, news }) {
  body.classList.toggle("is-live", connected && !news?.problem);
  if (!news || news.position === known.position && known.decided !== null) return;
  if (known.moved && news.moved && news.moved.position > known.moved.position) notice(news.moved);
  const due = known.position !== news.position;
  const before = known;
  known = news;
  if (due && !timer) timer = setTimeout(() => refresh(before), EVERY_MS / 4);
}

async function refresh(before) {
  const shown = known;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.ok) take(new DOMParser().parseFromString(await answer.text(), "text/html"), before, shown);
  } catch {
    body.classList.remove("is-live"); // the next news try again
  }
  // What came meanwhile is shown too, but no page asks more often than this.
  timer = setTimeout(() => {
    timer = null;
    if (known.position !== shown.position) refresh(shown);
  }, EVERY_MS);
}

function take(page, before, shown) {
  for (const section of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(section.id);
    if (!fresh) continue;
    localTimes(fresh);
    if (section.isEqualNode(fresh)) continue;
    if (section.dataset.live === "decided" && before.decided !== null && before.decided === shown.decided) continue;
    const focused = section.contains(document.activeElement) && document.activeElement.getAttribute("href");
    section.replaceWith(fresh);
    mark(section, fresh);
    if (focused) fresh.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  }
  const position = page.getElementById("position");
  if (position) { localTimes(position); document.getElementById("position").replaceWith(position); }
  body.dataset.position = page.body.dataset.position;
  const range = document.querySelector("form[data-slider] input[name=at]");
  if (range && range.value === range.max) {
    range.max = range.value = page.body.dataset.head;
    range.form.querySelector("output").textContent = Number(range.max).toLocaleString("en");
  }
  document.dispatchEvent(new CustomEvent("rps:refreshed", { detail: page }));
}

// Only what says something else than before, not the section around it.
function mark(old, fresh) {
  if (old.textContent === fresh.textContent) return;
  const alike = old.children.length === fresh.children.length;
  let within = false;
  for (const [index, part] of alike ? [...fresh.children].entries() : []) {
    if (old.children[index].textContent !== part.textContent) { mark(old.children[index], part); within = true; }
  }
  if (!within) fresh.classList.add("changed");
}

function notice(moved) {
  const line = document.createElement("p");
  const link = document.createElement("a");
  link.href = `${body.dataset.root}/events/${moved.position}`;
  link.textContent = `${moved.family}: ${moved.kind}, ${moved.text}`;
  line.append(link);
  document.getElementById("said").append(line);
  setTimeout(() => line.remove(), 12000);
}
