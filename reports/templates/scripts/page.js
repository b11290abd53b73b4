"use strict";
// Runs first, in the head, so that no page flashes in the wrong colours. Light, dark or the
// system's: the choice is kept for all pages where the browser allows it.
const theme = (() => {
  const choices = ["system", "light", "dark"];
  const kept = () => {
    try {
      return localStorage.getItem("loopgauge-theme");
    } catch {
      return null; // private browsing, or a file that may not keep anything
    }
  };
  let choice = choices.includes(kept()) ? kept() : "system";
  const apply = () => {
    if (choice === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${choice}`;
  };
  const next = () => {
    choice = choices[(choices.indexOf(choice) + 1) % choices.length];
    apply();
    try {
      localStorage.setItem("loopgauge-theme", choice);
    } catch {
      // shown, not kept
    }
  };
  apply();
  return { apply, next };
})();
