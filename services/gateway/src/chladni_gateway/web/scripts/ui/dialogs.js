// Sheets over the page.

/** Lets a click beside a sheet, or on its button, close it. */
export function installDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  }
}
