// The server writes times in UTC. Here they are put into the reader's zone; the title keeps UTC.

const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const steps = [["day", 86400], ["hour", 3600], ["minute", 60]];

export function localTimes(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const time = new Date(element.dateTime);
    if (Number.isNaN(time.getTime())) continue;
    const written = `${day.format(time)}, ${clock.format(time)}`;
    if ("ago" in element.dataset) {
      element.textContent = ago(time);
      element.title = `${written} · ${element.title}`;
      delete element.dataset.ago;
    } else {
      element.textContent = written;
    }
  }
}

function ago(time) {
  const seconds = (time.getTime() - Date.now()) / 1000;
  for (const [unit, size] of steps) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return "just now";
}
