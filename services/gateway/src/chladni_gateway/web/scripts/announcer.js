/** Tells people who do not see the page what just happened. */
export function announce(text) {
  document.getElementById("announcer").textContent = text;
}
