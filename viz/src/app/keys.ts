/**
 * Keys for the whole page. Fields, terminals and editors keep theirs: a key that somebody types into is left alone.
 */

import { pause, playUnit, togglePlay } from "../state/playback.ts";
import { current, goTo, moment, selection, step, view } from "../state/store.ts";
import { PANELS } from "../panels/registry.ts";
import { toggleGallery } from "./header.tsx";
import { isHelpOpen } from "./help-dialog.tsx";
import { showPanel } from "./panel-area.tsx";

export function listenForKeys(): void {
  addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isHelpOpen.value) return;
    if (event.key === "Escape") {
      if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
      return;
    }
    if (isTyping(event)) return;
    if (handle(event)) event.preventDefault();
  });
}

/** True when the key belongs to the field, terminal or editor that has the focus. */
function isTyping(event: KeyboardEvent): boolean {
  const target = event.composedPath()[0];
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target.closest(".takes-keys") !== null) return true;
  if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  if (target instanceof HTMLInputElement) return !["button", "checkbox", "radio", "range"].includes(target.type);
  // A button is pressed with the space bar.
  return event.key === " " && target instanceof HTMLButtonElement;
}

/** True when the key did something. */
function handle(event: KeyboardEvent): boolean {
  switch (event.key) {
    case "?":
      isHelpOpen.value = true;
      return true;
    case "g":
      toggleGallery();
      return true;
    default:
  }
  if (view.value === "gallery" && event.key === "/") {
    document.getElementById("gallery-search")?.focus();
    return true;
  }
  if (view.value !== "lab" || current.value === undefined) return false;
  const { info } = current.value;
  switch (event.key) {
    case " ":
      togglePlay();
      return true;
    case "ArrowRight":
    case "ArrowLeft":
      pause();
      void step(event.key === "ArrowRight" ? 1 : -1, event.shiftKey ? "record" : playUnit.value);
      return true;
    case "n":
    case "N":
      pause();
      void step(event.key === "n" ? 1 : -1, "match");
      return true;
    case "Home":
    case "End":
      pause();
      void goTo(event.key === "Home" ? info.firstId : info.recordCount);
      return true;
    case "/":
      document.getElementById("filter")?.focus();
      return true;
    case "t":
      if (selection.value.node === "" && moment.value?.record !== undefined) selection.value = { node: moment.value.record.host };
      showPanel("terminal");
      requestAnimationFrame(() => document.querySelector<HTMLElement>("#panel-terminal textarea")?.focus());
      return true;
    default:
  }
  const index = /^[1-9]$/.test(event.key) ? Number(event.key) - 1 : -1;
  const panel = PANELS[index];
  if (panel === undefined) return false;
  showPanel(panel.id);
  return true;
}
