// Sheets over the page.

/** Lets a click beside a sheet, or on its button, close it; a drag that began in the sheet is no such click. */
export function installDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    let isPressedBeside = false;
    dialog.addEventListener("pointerdown", (event) => (isPressedBeside = event.target === dialog));
    dialog.addEventListener("click", (event) => isPressedBeside && event.target === dialog && dialog.close());
    dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
  }
}

/**
 * Calls a function each time that a dialog was closed. The browser announces that with its next frame, which may come
 * late: a dialog that is open again by then has not been left.
 */
export function whenClosed(dialog, onClosed) {
  dialog.addEventListener("close", () => dialog.open || onClosed());
}
