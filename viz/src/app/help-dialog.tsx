/**
 * The keys, in a dialog.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { FIELD_NAMES } from "../filter/field-names.ts";
import { t } from "../state/preferences.ts";

export const isHelpOpen = signal(false);

export function HelpDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = isHelpOpen.value;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const s = t.value.help;
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (isHelpOpen.value = false)}>
      <h2 id="help-title">{s.title}</h2>
      <dl>
        {s.keys.map(([keys, does]) => (
          <div key={keys}>
            <dt>
              <kbd>{keys}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <h2>{s.filterTitle}</h2>
      <p>{s.filterText}</p>
      <p class="mono fields">{FIELD_NAMES.join("  ")}</p>
      <button type="button" onClick={() => (isHelpOpen.value = false)}>
        {t.value.app.close}
      </button>
    </dialog>
  );
}
