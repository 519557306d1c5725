// Charts of a family's cycles, from the page's JSON twin, drawn by uPlot. Swaps are links over the drawing.

const place = document.getElementById("charts");
const HEIGHT = 190;
const VERSIONS_MAX = 6; // the newest; more lines than that are a tangle
const CHALLENGERS = ["B", "shadow1", "shadow2"];
let drawn = [];

function colours() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(name).trim();
  return { Production: of("--production"), B: of("--b"), shadow1: of("--good"), shadow2: of("--bad"), ink: of("--ink"), quiet: of("--quiet"), line: of("--line") };
}

// A colour with less of it, for the area of an interval.
function faint(colour) {
  return `color-mix(in srgb, ${colour} 18%, transparent)`;
}

function line(label, stroke, more = {}) {
  return { label, stroke, width: 1.75, spanGaps: true, points: { size: 4 }, value: (_u, v) => (v === null || v === undefined ? "—" : Math.abs(v) < 0.001 && v !== 0 ? v.toExponential(1) : String(Math.round(v * 1e4) / 1e4)), ...more };
}

function criterion(label, colour) {
  return line(label, colour, { dash: [6, 4], width: 1.25, points: { show: false } });
}

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY_SECONDS = 86_400;

// The time axis in the reader's language; a day's first mark says which day it is.
function times(_u, splits, _axis, _space, step) {
  let last = null;
  return splits.map((seconds) => {
    const date = day.format(seconds * 1000);
    const text = step >= DAY_SECONDS ? date : date === last ? clock.format(seconds * 1000) : `${date}\n${clock.format(seconds * 1000)}`;
    last = date;
    return text;
  });
}

const percents = (_u, values) => values.map((value) => `${Math.round(value * 100)} %`);

function charts(cycles, c) {
  const column = (of) => cycles.map((cycle) => of(cycle) ?? null);
  const versions = [...new Set(cycles.flatMap((one) => Object.keys(one.by_version)))].sort((a, b) => a - b).slice(-VERSIONS_MAX);
  const palette = [c.Production, c.B, c.shadow1, c.shadow2, c.quiet, c.ink];
  const aliases = rates([["Production", c.Production, (one) => one.production], ["B", c.B, (one) => one.b]], column);
  return {
    rates: aliases,
    versions: rates(versions.map((version, index) => [`v${version}`, palette[index], (one) => one.by_version[version]]), column),
    p: { series: [[line("p", c.ink), column((one) => one.p_value)], [criterion("alpha", c.B), column((one) => one.alpha)]], range: [0, 1] },
    e: { series: [[line("E", c.ink), column((one) => one.e_log === null ? null : Math.exp(one.e_log))], [criterion("1/alpha", c.B), column((one) => one.alpha && 1 / one.alpha)]], log: true },
    z: { series: [[line("z", c.ink), column((one) => one.z_statistic)], [criterion("0", c.quiet), column(() => 0)]] },
    ranks: { series: CHALLENGERS.map((alias) => [line(alias, c[alias], { paths: uPlot.paths.stepped({ align: 1 }) }), column((one) => one.ranks[alias])]), range: [3.4, 0.6], splits: [1, 2, 3] },
    accuracy: { series: CHALLENGERS.flatMap((alias) => [[line(alias, c[alias]), column((one) => one.accuracies[alias])], [criterion(`${alias}, trained`, c[alias]), column((one) => one.trained[alias])]]), range: [0, 1], values: percents },
  };
}

// Rates as lines, each with its interval as an area.
function rates(lines, column) {
  const bound = { width: 0, points: { show: false }, class: "bound" };
  return {
    series: lines.flatMap(([name, colour, of]) => [
      [line(name, colour, { spanGaps: false }), column((one) => of(one)?.share)],
      [line(`${name}, upper`, "transparent", bound), column((one) => of(one)?.upper)],
      [line(`${name}, lower`, "transparent", bound), column((one) => of(one)?.lower)],
    ]),
    bands: lines.map(([, colour], index) => ({ series: [3 * index + 2, 3 * index + 3], fill: faint(colour) })),
    range: [0, 1],
    values: percents,
  };
}

// Swaps, as links on the time axis.
function marks(cycles) {
  const swaps = cycles.filter((cycle) => cycle.decision === "swap_production_b");
  return {
    hooks: {
      init: (u) => {
        u.marks = swaps.map((swap) => {
          const link = document.createElement("a");
          link.className = "mark";
          link.href = `${document.body.dataset.root}/decisions/${swap.position}`;
          link.setAttribute("aria-label", `Swap at position ${swap.position.toLocaleString("en")}`);
          link.title = link.getAttribute("aria-label");
          u.over.append(link);
          return [link, swap.time_ms / 1000];
        });
      },
      draw: (u) => {
        for (const [link, time] of u.marks) link.style.left = `${u.valToPos(time, "x")}px`;
      },
    },
  };
}

function draw(cycles) {
  for (const one of drawn) one.destroy();
  drawn = [];
  const c = colours();
  const axis = { stroke: c.quiet, grid: { stroke: c.line, width: 1 }, ticks: { stroke: c.line, width: 1 }, font: "12px system-ui", labelFont: "12px system-ui" };
  const seconds = cycles.map((cycle) => cycle.time_ms / 1000);
  for (const [name, chart] of Object.entries(charts(cycles, c))) {
    const holder = place.querySelector(`[data-chart="${name}"]`);
    const options = {
      width: holder.clientWidth,
      height: HEIGHT,
      bands: chart.bands,
      series: [{ label: "Time", value: (_u, value) => (value === null ? "\u2014" : when.format(value * 1000)) }, ...chart.series.map(([series]) => series)],
      scales: { x: {}, y: { distr: chart.log ? 3 : 1, ...(chart.range && { range: () => chart.range.slice().sort((a, b) => a - b), dir: chart.range[0] > chart.range[1] ? -1 : 1 }) } },
      axes: [{ ...axis, values: times }, { ...axis, size: 52, ...(chart.values && { values: chart.values }), ...(chart.splits && { splits: () => chart.splits }) }],
      legend: { live: true },
      cursor: { points: { size: 6 } },
      plugins: [marks(cycles)],
    };
    drawn.push(new uPlot(options, [seconds, ...chart.series.map(([, values]) => values)], holder));
  }
}

async function show() {
  const answer = await fetch(place.dataset.twin + location.search, { headers: { Accept: "application/json" } });
  if (!answer.ok) return;
  const { cycles } = await answer.json();
  if (cycles.length) draw(cycles);
  return cycles;
}

if (place) {
  let cycles = await show();
  new ResizeObserver(() => {
    for (const one of drawn) one.setSize({ width: one.root.parentElement.clientWidth, height: HEIGHT });
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => cycles && draw(cycles));
  let decided = document.querySelector("#cycles")?.textContent;
  document.addEventListener("rps:refreshed", async () => {
    const now = document.querySelector("#cycles")?.textContent;
    if (now !== decided) { decided = now; cycles = await show(); }
  });
}
