"use strict";
// A button that copies, at every command and script.
(() => {
  const copied = async (text) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      return false; // the browser asked, and the answer was no
    }
  };
  for (const code of document.querySelectorAll("pre > code")) {
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      if (await copied(code.textContent)) button.textContent = "Copied";
      else {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected: press Ctrl+C";
      }
      setTimeout(() => (button.textContent = "Copy"), 3000);
    });
    const frame = make("div", { className: "copied" });
    code.parentElement.replaceWith(frame);
    frame.append(code.parentElement, button);
  }
})();
