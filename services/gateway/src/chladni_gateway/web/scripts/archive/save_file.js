// Saves what the page holds as a file of the visitor's.

import { make } from "../ui/elements.js";

const KEPT_MS = 60_000; // Time for the browser to begin.

/** Lets the browser save a blob under a name. */
export function saveFile(blob, name) {
  const address = URL.createObjectURL(blob);
  make("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), KEPT_MS);
}
