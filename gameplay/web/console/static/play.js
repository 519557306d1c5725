// A game, played by mouse, touch or keys. Every answer can be asked for again: the round number makes a retry safe.

const root = document.body.dataset.root;
const $ = (id) => document.getElementById(id);
const RETRY_MS = [400, 800, 1600, 3000, 5000];
const KEYS = { r: "rock", p: "paper", s: "scissors" };
const WORDS = { win: "You win the round", lose: "The bot wins the round", draw: "A draw" };

let game = null; // { id, policy, round, busy, over }

class Refused extends Error {}

// The service's answer, asked for again while none comes. What it refuses for good is an error with its own words.
async function ask(path, body) {
  for (let tried = 0; ; tried += 1) {
    try {
      const answer = await fetch(root + path, {
        method: body ? "POST" : "GET",
        headers: { Accept: "application/json", ...(body && { "Content-Type": "application/json" }) },
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(10000),
      });
      if (answer.ok) { say(null); return await answer.json(); }
      if (answer.status < 500 && answer.status !== 408 && answer.status !== 429) {
        throw new Refused((await answer.json()).detail);
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    say("No answer yet; trying again. Nothing is played twice.");
    await new Promise((done) => setTimeout(done, RETRY_MS[Math.min(tried, RETRY_MS.length - 1)]));
  }
}

function say(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text ?? "";
}

function session() {
  let known = localStorage.getItem("rps-session");
  if (!known) {
    known = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
    localStorage.setItem("rps-session", known);
  }
  return known;
}

function showSetup() {
  game = null;
  sessionStorage.removeItem("rps-game");
  $("name").value = localStorage.getItem("rps-name") ?? "";
  $("erase").hidden = !localStorage.getItem("rps-name");
  for (const id of ["table", "log", "predictions"]) $(id).hidden = true;
  $("setup").hidden = false;
}

async function start(event) {
  event.preventDefault();
  const form = $("setup");
  const name = form.elements.name.value.trim();
  const body = { policy: form.elements.policy.value, session_id: session() };
  if (name) { body.player_name = name; localStorage.setItem("rps-name", name); }
  try {
    const begun = await ask("/start_game", body);
    showTable({ id: begun.game_id, policy: begun.policy, round: 1, busy: false, over: false });
    await showPoints();
  } catch (error) {
    $("setup").hidden = false;
    document.getElementById("said").textContent = error.message;
  }
}

function showTable(begun) {
  game = begun;
  sessionStorage.setItem("rps-game", game.id);
  $("setup").hidden = true;
  $("predictions").hidden = true;
  $("table").hidden = false;
  $("moves").hidden = false;
  $("ended").hidden = true;
  $("bot-name").textContent = game.policy;
  $("rounds").replaceChildren();
  $("log").hidden = true;
  document.querySelector("#log .expected").hidden = true;
  $("outcome").textContent = "Your move.";
  showScore(0, 0);
  $("moves").querySelector("button").focus();
}

function showScore(user, bot) {
  $("user-score").textContent = user.toFixed(1);
  $("bot-score").textContent = bot.toFixed(1);
  $("user-race").value = user;
  $("bot-race").value = bot;
}

async function showPoints() {
  const points = await ask(`/round_points?game_id=${encodeURIComponent(game.id)}`);
  game.round = points.round_no;
  $("round").textContent = points.round_no;
  for (const button of $("moves").querySelectorAll("button")) {
    button.querySelector("[data-worth]").textContent = points.round_points[button.dataset.move].toFixed(1);
  }
}

async function play(move) {
  if (!game || game.busy || game.over) return;
  setBusy(true);
  try {
    const played = await ask("/play", { game_id: game.id, user_move: move, round: game.round });
    showRound(played);
    const outcome = `${WORDS[played.result]}: ${played.user_move} against ${played.bot_move}.`;
    if (played.finished) {
      const won = { user: "You have won the game.", bot: "The bot has won the game.", tie: "The game is a tie." };
      $("outcome").textContent = `${outcome} ${won[played.winner]}`;
      await end();
    } else {
      $("outcome").textContent = outcome;
      await showPoints();
    }
  } catch (error) {
    say(error.message);
    if (error instanceof Refused) await resume(game.id);
  } finally {
    if (game) setBusy(false);
  }
}

function setBusy(busy) {
  game.busy = busy;
  // Not disabled: that would take the focus from the player who uses keys.
  $("moves").setAttribute("aria-busy", String(busy));
}

function row(...cells) {
  const line = document.createElement("tr");
  for (const [text, name] of cells) {
    const cell = line.insertCell();
    if (name?.startsWith("tag")) {
      const tag = document.createElement("span");
      tag.className = name;
      tag.textContent = text;
      cell.append(tag);
    } else {
      cell.textContent = text;
      if (name) cell.className = name;
    }
  }
  return line;
}

function showRound(played) {
  $("log").hidden = false;
  showScore(played.user_score, played.bot_score);
  const line = row(
    [played.round, "number"], [played.user_move], [played.bot_move], [played.result, `tag ${played.result}`],
    [`${played.user_delta.toFixed(1)} : ${played.bot_delta.toFixed(1)}`, "number"],
    [`${played.user_score.toFixed(1)} : ${played.bot_score.toFixed(1)}`, "number"],
  );
  line.dataset.round = played.round;
  $("rounds").prepend(line);
}

async function end() {
  game.over = true;
  sessionStorage.removeItem("rps-game");
  $("moves").hidden = true;
  $("ended").hidden = false;
  $("game-link").href = `${root}/games/${game.id}`;
  $("again").focus();
  const whole = await ask(`/games/${game.id}.json`);
  if (!whole.predictors.length) return;
  $("predictors").replaceChildren(...whole.predictors.map((one) => row(
    [one.alias, `tag alias ${one.alias}`], [`v${one.version}`],
    [`${one.correct.hits} of ${one.correct.tries}`, "number"], [`${Math.round(one.confidence * 100)} %`, "number"],
    [one.served ? "yes" : ""],
  )));
  $("predictions").hidden = false;
  document.querySelector("#log .expected").hidden = false;
  for (const round of whole.rounds) {
    const line = $("rounds").querySelector(`[data-round="${round.round}"]`);
    const said = round.expected.map((one) => `${one.alias} ${one.predicted} ${Math.round(one.probabilities[one.predicted] * 100)} %${one.correct ? " ✓" : ""}`);
    const cell = line.insertCell();
    cell.className = "expected quiet";
    cell.textContent = said.join(" · ");
  }
}

// After a reload, or where another tab has played on: the rounds as the ledger has them.
async function resume(id) {
  const whole = await ask(`/games/${encodeURIComponent(id)}.json`);
  showTable({ id, policy: whole.policy, round: whole.rounds.length + 1, busy: false, over: false });
  for (const round of whole.rounds) showRound(round);
  if (whole.status === "open") await showPoints();
  else if (whole.status === "finished") { $("outcome").textContent = "The game is over."; await end(); }
  else showSetup();
}

$("setup").addEventListener("submit", start);
$("moves").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-move]");
  if (button) play(button.dataset.move);
});
$("again").addEventListener("click", showSetup);
$("erase").addEventListener("click", async () => {
  await ask("/erase_name", { session_id: session() });
  localStorage.removeItem("rps-name");
  showSetup();
  document.getElementById("said").textContent = "Your name is erased. You stay in the statistics without one.";
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches("input, select, textarea")) return;
  if (KEYS[event.key.toLowerCase()]) play(KEYS[event.key.toLowerCase()]);
});

const left = sessionStorage.getItem("rps-game");
if (left) resume(left).catch(showSetup);
else showSetup();
