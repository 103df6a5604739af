// Semi leaves some of its parts without a name, or with a wrong one, for those who listen to a page. This puts it right
// wherever Semi draws something: icons are decoration, selects take the name in data-name, sheets that of their title.
import i18n from "../i18n/index.ts";

function repairSelect(select: Element): void {
  for (const part of [select, ...select.querySelectorAll("input")])
    for (const pointer of ["aria-controls", "aria-activedescendant"]) {
      const target = part.getAttribute(pointer);
      if (target !== null && !document.getElementById(target)) part.removeAttribute(pointer);
    }
  const name = select.getAttribute("data-name");
  if (name && !select.hasAttribute("aria-labelledby")) {
    const chosen = select.querySelector(".semi-select-selection-text")?.textContent?.trim();
    const whole = chosen && chosen !== name ? `${name}: ${chosen}` : name;
    if (select.getAttribute("aria-label") !== whole) select.setAttribute("aria-label", whole);
  } else if (select.hasAttribute("aria-labelledby")) {
    select.removeAttribute("aria-label");
  }
  for (const input of select.querySelectorAll("input:not([aria-label])"))
    input.setAttribute("aria-label", name ?? labelOf(select));
}

const labelOf = (element: Element) =>
  document.getElementById(element.getAttribute("aria-labelledby") ?? "")?.firstChild?.textContent ??
  "";

const UNNAMED_CLOSERS =
  ".semi-sidesheet-close:not([aria-label]), .semi-toast-close-button button:not([aria-label])";

function repair(): void {
  for (const icon of document.querySelectorAll('.semi-icon[role="img"]')) {
    icon.removeAttribute("role");
    icon.removeAttribute("aria-label");
    icon.setAttribute("aria-hidden", "true");
  }
  document.querySelectorAll('.semi-select[role="combobox"]').forEach(repairSelect);
  for (const close of document.querySelectorAll(UNNAMED_CLOSERS))
    close.setAttribute("aria-label", i18n.t("common.close"));
  for (const sheet of document.querySelectorAll(".semi-sidesheet-inner[role='dialog']")) {
    const title = sheet.querySelector(".semi-sidesheet-title")?.textContent?.trim();
    if (title && sheet.getAttribute("aria-label") !== title)
      sheet.setAttribute("aria-label", title);
  }
  // these hold no focus, so they are no dialogs
  for (const popover of document.querySelectorAll(".semi-popover-wrapper[role='dialog']"))
    popover.removeAttribute("role");
}

export function keepSemiNamed(): void {
  let planned = false;
  new MutationObserver(() => {
    if (planned) return;
    planned = true;
    requestAnimationFrame(() => {
      planned = false;
      repair();
    });
  }).observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ["aria-controls", "aria-activedescendant", "aria-label"],
  });
}
