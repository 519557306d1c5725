// A replay takes as long as the ledger is: until the answer comes, the page says that it is being computed.

const form = document.querySelector("form[data-replay]");
const place = document.getElementById("working");
let timer = null;

function begin() {
  const progress = document.createElement("progress");
  progress.setAttribute("aria-label", "Replaying");
  const seconds = document.createElement("span");
  seconds.setAttribute("aria-hidden", "true"); // what is said once need not be said each second
  place.replaceChildren(progress, ` Replaying ${form.dataset.replay} events by the other rule \u2026 `, seconds);
  const began = Date.now();
  timer = setInterval(() => { seconds.textContent = `${Math.round((Date.now() - began) / 1000)} s`; }, 1000);
  document.querySelector("main").setAttribute("aria-busy", "true");
  form.querySelector("button").disabled = true;
}

// A page that comes back out of the browser's memory waits for nothing.
function end() {
  clearInterval(timer);
  place.replaceChildren();
  document.querySelector("main").removeAttribute("aria-busy");
  form.querySelector("button").disabled = false;
}

form.addEventListener("submit", begin);
for (const link of document.querySelectorAll("a[data-replay]")) {
  link.addEventListener("click", (event) => { if (!event.ctrlKey && !event.metaKey && !event.shiftKey) begin(); });
}
addEventListener("pageshow", end);
