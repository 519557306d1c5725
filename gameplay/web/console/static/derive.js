// "Derive again" without leaving the page.

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
