// Sheets over the page.

/** Lets a click beside a sheet, or on its button, close it. */
export function installDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  }
}

/** Asks before something is lost; returns whether to go on. */
export function confirmed(title, text) {
  const dialog = document.getElementById("confirmation");
  dialog.querySelector("#confirmation-title").textContent = title;
  dialog.querySelector("#confirmation-text").textContent = text;
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}
