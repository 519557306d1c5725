// Looking back: the slider says its position while it is dragged and goes there when it is let go; the date is the
// reader's own, and is sent in UTC.

export function slider() {
  const position = document.querySelector("form[data-slider]");
  if (position) {
    const range = position.elements.at;
    const shown = position.querySelector("output");
    range.addEventListener("input", () => { shown.textContent = Number(range.value).toLocaleString("en"); });
    range.addEventListener("change", () => {
      if (range.value === range.max) location.assign(withoutAt());
      else position.requestSubmit();
    });
  }
  const date = document.querySelector("form[data-date]");
  if (date) {
    const field = date.elements.at;
    date.querySelector("[data-zone]").textContent = "(your zone)";
    if (field.value) field.value = local(new Date(`${field.value}Z`));
    date.addEventListener("submit", (event) => {
      event.preventDefault();
      const url = new URL(location.href);
      url.searchParams.set("at", new Date(field.value).toISOString());
      location.assign(url);
    });
  }
}

function withoutAt() {
  const url = new URL(location.href);
  url.searchParams.delete("at");
  return url;
}

function local(time) {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}
