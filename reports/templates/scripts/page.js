"use strict";
// Light, dark or the system's: the choice is kept for all pages where the browser allows it.
(() => {
  const button = document.getElementById("theme");
  if (!button) return;
  const choices = ["system", "light", "dark"];
  const stored = () => {
    try {
      return localStorage.getItem("loopgauge-theme");
    } catch {
      return null; // private browsing, or a file that may not keep anything
    }
  };
  const apply = (choice) => {
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    button.textContent = `Theme: ${choice}`;
  };
  let choice = choices.includes(stored()) ? stored() : "system";
  apply(choice);
  button.hidden = false;
  button.addEventListener("click", () => {
    choice = choices[(choices.indexOf(choice) + 1) % choices.length];
    apply(choice);
    try {
      localStorage.setItem("loopgauge-theme", choice);
    } catch {
      // shown, not kept
    }
  });
})();
