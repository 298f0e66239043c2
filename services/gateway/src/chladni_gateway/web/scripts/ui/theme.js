// Light or dark: the system's choice until the visitor makes another.

const KEY = "theme";
const PAPER = { light: "#ece4d3", dark: "#151310" };

export function installTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const systemTheme = () => (system.matches ? "dark" : "light");
  let chosen = recall();
  const apply = () => {
    const theme = chosen ?? systemTheme();
    if (chosen) document.documentElement.dataset.theme = chosen;
    else delete document.documentElement.dataset.theme;
    button.setAttribute("aria-pressed", String(theme === "dark"));
    for (const meta of document.querySelectorAll('meta[name="theme-color"]')) meta.content = PAPER[theme];
    return theme;
  };
  button.addEventListener("click", () => {
    const other = apply() === "dark" ? "light" : "dark";
    chosen = other === systemTheme() ? null : other;
    remember(chosen);
    apply();
  });
  system.addEventListener("change", apply);
  apply();
}

// A browser may refuse storage altogether; then the choice lasts as long as the page.

function recall() {
  try {
    const theme = localStorage.getItem(KEY);
    return theme in PAPER ? theme : null;
  } catch {
    return null;
  }
}

function remember(theme) {
  try {
    if (theme) localStorage.setItem(KEY, theme);
    else localStorage.removeItem(KEY);
  } catch {
    // Nothing to do.
  }
}
