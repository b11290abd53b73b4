"use strict";
// The bar at the top of every page, which without a script only says where you are.
const make = (tag, members = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), members);
  made.append(...children);
  return made;
};
const tools = document.getElementById("tools") || make("div");
const themeButton = document.getElementById("theme") || make("button");
themeButton.addEventListener("click", theme.next);
theme.apply();
tools.hidden = false;
