// "Derive again" without leaving the page, and the table as a file.

export function derive() {
  const form = document.querySelector("form[data-derive]");
  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const place = document.getElementById("derived");
    button.disabled = true;
    place.textContent = "Recounting …";
    try {
      const answer = await fetch(form.action, { method: "POST", headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      place.replaceChildren(page.querySelector("[data-derived]") ?? page.querySelector(".problem p:nth-of-type(2)"));
    } catch {
      place.textContent = "No answer. Try again.";
    }
    button.disabled = false;
  });
}

// The address answers JSON to a link; as a table it is asked for by its header.
export function csv() {
  const link = document.querySelector("a[data-csv]");
  link?.addEventListener("click", async (event) => {
    event.preventDefault();
    const answer = await fetch(link.href, { headers: { Accept: "text/csv" } });
    const file = document.createElement("a");
    file.href = URL.createObjectURL(await answer.blob());
    file.download = "decisions.csv";
    file.click();
    setTimeout(() => URL.revokeObjectURL(file.href), 1000);
  });
}
