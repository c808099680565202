// Single keys answer and act, unless somebody types, holds a key down, or has switched them off.

import { lasting } from "/review/storage.js";

const OFF = "feedback-assets:keys-off";
const NEVER_IN_NUMBERS = ["s", "u", "o", "c", "?"];

export function listen(actions) {
  const on = document.getElementById("keys-on");
  on.checked = lasting.getItem(OFF) === null;
  on.addEventListener("change", () => {
    if (on.checked) lasting.removeItem(OFF);
    else lasting.setItem(OFF, "yes");
  });
  document.addEventListener("keydown", (event) => {
    if (!on.checked || !meant(event)) return;
    const act = actions(event.key.toLowerCase());
    if (!act) return;
    event.preventDefault();
    act();
  });
}

function meant(event) {
  const held = event.ctrlKey || event.metaKey || event.altKey || event.repeat;
  if (held || event.isComposing || event.defaultPrevented || event.key.length !== 1) return false;
  if (document.querySelector("dialog[open]")) return false;
  const typing = event.target.closest("textarea, select, input:not([type=radio]):not([type=checkbox])");
  if (!typing) return event.key !== " ";
  return typing.id === "number" && NEVER_IN_NUMBERS.includes(event.key.toLowerCase());
}
