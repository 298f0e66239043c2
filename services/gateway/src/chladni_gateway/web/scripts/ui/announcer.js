/** Announces what just happened to people who use a screen reader. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
