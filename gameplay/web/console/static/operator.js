// An order in two steps: what it would move, by a dry run, and then the order itself for exactly the state that was
// shown. The token lives in this tab's storage and goes out as a header, so that no other page can spend it.

import { localTimes } from "./times.js";

const root = document.body.dataset.root;
const $ = (id) => document.getElementById(id);
const form = $("order");
const field = (name) => form.elements[name];

let ready = null; // the order that was shown: { path, body, key }

function show(id, text) {
  $(id).hidden = !text;
  $(id).textContent = text ?? "";
}

// randomUUID is there on https and localhost alone.
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function card(family = field("family").value) {
  return document.querySelector(`[data-family="${family}"]`);
}

// What the chosen family's present state leaves to be ordered.
function offer() {
  const { plan, waits, swapped } = card()?.dataset ?? {};
  const possible = { undo: swapped !== undefined, approve: waits !== undefined, reject: waits !== undefined, cancel: plan !== undefined };
  for (const option of field("what").options) option.disabled = possible[option.value] === false;
  const rows = card()?.querySelectorAll("[data-alias]") ?? [];
  const chosen = field("version").value;
  field("version").replaceChildren(...Array.from(rows, (row) => row.dataset)
    .filter(({ alias }) => alias !== "Production")
    .map(({ alias, version }) => new Option(`${alias} v${version}`, version)));
  if ([...field("version").options].some((option) => option.value === chosen)) field("version").value = chosen;
}

function fit() {
  offer();
  if (field("what").selectedOptions[0]?.disabled) field("what").value = "pin";
  const what = field("what").value;
  for (const part of form.querySelectorAll("[data-for]")) part.hidden = !part.dataset.for.split(" ").includes(what);
  forget();
}

function forget() {
  ready = null;
  $("shown").hidden = true;
  show("trouble", null);
}

function order() {
  const what = field("what").value;
  const body = { model_type: field("family").value, reason: field("reason").value, actor: field("actor").value };
  if (what === "pin" || what === "unpin") body.alias = field("alias").value;
  if (what === "swap") body.version = Number(field("version").value);
  if (what === "approve" || what === "reject") body.plan = Number(card().dataset.plan);
  if (what === "pin" && field("expires").value) body.expires = new Date(field("expires").value).toISOString();
  return { path: `/internal/promotion/${what}`, body, key: newKey() };
}

async function send({ path, body, key }) {
  const headers = { Accept: "application/json", "Content-Type": "application/json", "Idempotency-Key": key };
  if (field("token")) headers.Authorization = `Bearer ${field("token").value}`;
  let answer;
  try {
    answer = await fetch(root + path, { method: "POST", headers, body: JSON.stringify(body), signal: AbortSignal.timeout(60000) });
  } catch {
    throw new Error("No answer. Try again: an order that is sent twice is carried out once.");
  }
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail);
  return said;
}

function effects({ event, since }) {
  const family = event.model_type;
  if (event.type === "promotion.alias_pinned") {
    const until = event.expires_us ? `until ${new Date(event.expires_us / 1000).toLocaleString()}` : "until it is unpinned";
    return [`${family}: ${event.alias} stays at v${event.version} ${until}. Cycles, reorders and trainings leave it alone.`];
  }
  if (event.type === "promotion.plan_approved") {
    return [`${family}: ${card(family).dataset.moves}`, "A swap begins a new window: games and cycles since it go to zero."];
  }
  if (event.type === "promotion.plan_rejected") return [`${family}: the plan is closed. Its aliases stay as they are.`];
  if (event.type === "promotion.alias_unpinned") return [`${family}: ${event.alias} may move again.`];
  const moves = event.assignments.filter((one) => one.before !== one.after);
  const lines = moves.map((one) => `${family}: ${one.alias} v${one.before} \u2192 v${one.after}`);
  if (!moves.length) lines.push(`${family}: the open plan is closed. Its aliases stay as they are.`);
  if (event.swapped) lines.push("A new window begins: games and cycles since the swap go to zero.");
  if (since) lines.push(`Since the swap that this takes back: ${since.moved.length} other moves, ${since.trained.length} trainings.`);
  return lines;
}

async function preview(event) {
  event.preventDefault();
  forget();
  show("done", null);
  $("preview").disabled = true;
  try {
    if (field("token")) sessionStorage.setItem("rps-token", field("token").value);
    sessionStorage.setItem("rps-actor", field("actor").value);
    const wanted = order();
    const shown = await send({ ...wanted, body: { ...wanted.body, dry_run: true } });
    ready = { ...wanted, body: { ...wanted.body, seen: shown.seen }, card: card(wanted.body.model_type).textContent };
    $("effects").replaceChildren(...effects(shown).map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    $("shown").hidden = false;
    $("shown").focus();
  } catch (error) {
    show("trouble", error.message);
  } finally {
    $("preview").disabled = false;
  }
}

async function confirm() {
  if (!ready) return;
  $("confirm").disabled = true;
  show("trouble", null);
  try {
    const taken = await send(ready);
    forget();
    field("reason").value = "";
    await refresh();
    say(taken);
  } catch (error) {
    show("trouble", error.message);
  } finally {
    $("confirm").disabled = false;
  }
}

function say(taken) {
  const position = Object.assign(document.createElement("a"), {
    href: `${root}/events/${taken.position}`,
    textContent: `position ${taken.position.toLocaleString("en")}`,
  });
  const late = taken.applied === false ? " It is planned, and not carried out yet: the next cycle or start completes it." : "";
  $("done").replaceChildren("Done: ", position, `.${late}`);
  $("done").hidden = false;
}

async function refresh() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  $("held").replaceWith(document.adoptNode(page.getElementById("held")));
  localTimes($("held"));
  fit();
}

// The cards follow the ledger. An order that was shown for another state stays, and the service refuses it.
function followed() {
  offer();
  if (ready && card(ready.body.model_type).textContent !== ready.card) {
    show("trouble", "This family has changed meanwhile. Look again before you carry it out.");
  }
}

if (field("token")) field("token").value = sessionStorage.getItem("rps-token") ?? "";
field("actor").value = sessionStorage.getItem("rps-actor") ?? "";
form.addEventListener("change", fit);
form.addEventListener("input", forget);
form.addEventListener("submit", preview);
document.addEventListener("rps:refreshed", followed);
$("confirm").addEventListener("click", confirm);
$("dismiss").addEventListener("click", forget);
fit();
