// Looking back: the slider says its position while it is moved, and goes there when it is let go or on Enter: each arrow
// key is a change too, and a page for each would leave nobody time to choose. The date is the reader's own, sent in UTC.

export function slider() {
  const position = document.querySelector("form[data-slider]");
  if (position) {
    const range = position.elements.at;
    const shown = position.querySelector("output");
    range.addEventListener("input", () => { shown.textContent = Number(range.value).toLocaleString("en"); });
    let dragged = false;
    range.addEventListener("pointerdown", () => { dragged = true; });
    range.addEventListener("change", () => {
      if (dragged) position.requestSubmit();
      dragged = false;
    });
    range.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      position.requestSubmit();
    });
    position.addEventListener("submit", (event) => {
      if (range.value !== range.max) return;
      event.preventDefault();
      location.assign(withoutAt());
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
