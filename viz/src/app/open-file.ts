/**
 * Files from a person's computer: a scenario or a trace, told apart by how they begin.
 */

import { openSource, shownFailure } from "../state/store.ts";
import { t } from "../state/preferences.ts";

const HEAD_BYTES = 64;

export async function openFile(file: File): Promise<void> {
  const head = (await file.slice(0, HEAD_BYTES).text()).trimStart();
  const isTrace = head.startsWith("{") || /\.(?:jsonl|ndjson)$/i.test(file.name);
  if (isTrace) await openSource({ kind: "trace", file: file.name, blob: file });
  else await openSource({ kind: "scenario", file: file.name, text: await file.text(), seed: undefined, inputs: [] });
}

/** Opens the file that `lvsim view` serves beside the page, when the address names one; false when it does not. */
export async function openServedFile(): Promise<boolean> {
  const name = new URLSearchParams(location.hash.replace(/^#/, "")).get("file");
  if (name === null) return false;
  try {
    const response = await fetch(`opened/${encodeURIComponent(name)}`);
    if (!response.ok) throw new Error(`${response.status}`);
    await openFile(new File([await response.blob()], name));
  } catch {
    shownFailure.value = { file: name, failure: { kind: "internal", message: t.value.gallery.fetchFailed, places: [] } };
  }
  return true;
}
