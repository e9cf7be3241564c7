// Light or dark, before anything is drawn: what the person chose, else what the system says. No module, for it must not wait.
"use strict";
(() => {
  const KEY = "isonomy.theme";
  const CHOICES = ["auto", "light", "dark"];
  const root = document.documentElement;

  function stored() {
    try {
      const found = localStorage.getItem(KEY);
      return CHOICES.includes(found) ? found : "auto";
    } catch {
      return "auto"; // storage may be forbidden: the choice then lasts as long as the page
    }
  }

  function choose(theme) {
    root.dataset.theme = theme;
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // as above
    }
    root.dispatchEvent(new CustomEvent("theme"));
  }

  root.dataset.theme = stored();
  window.isonomyTheme = { choices: CHOICES, choose, chosen: () => root.dataset.theme };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => root.dispatchEvent(new CustomEvent("theme")));
})();
