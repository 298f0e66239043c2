// What the fields of a form hold, kept in this browser across reloads; without its storage as long as the page.

/** Returns the fields that were kept by a key, by their names; none if there are none. */
export function recallFields(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return kept !== null && typeof kept === "object" ? kept : {};
  } catch {
    return {};
  }
}

export function keepFields(key, fields) {
  try {
    localStorage.setItem(key, JSON.stringify(fields));
  } catch {
    // Nothing to do.
  }
}
