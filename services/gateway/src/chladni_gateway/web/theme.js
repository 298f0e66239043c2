// Light or dark: the system's choice until the visitor makes one.

const KEY = "theme";

export function installTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = recall();
  const apply = () => {
    const isDark = chosen ? chosen === "dark" : system.matches;
    if (chosen) document.documentElement.dataset.theme = chosen;
    button.setAttribute("aria-pressed", String(isDark));
    return isDark;
  };
  button.addEventListener("click", () => {
    chosen = apply() ? "light" : "dark";
    remember(chosen);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

// A browser may refuse storage altogether; then the choice lasts as long as the page.

function recall() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function remember(theme) {
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // Nothing to do.
  }
}
