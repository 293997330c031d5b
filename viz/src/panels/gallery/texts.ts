/**
 * Texts of the gallery's scenarios, fetched one by one; and what the search looks through, fetched when somebody searches.
 */

import { signal } from "@preact/signals";
import { gallery } from "virtual:gallery";
import { t } from "../../state/preferences.ts";
import { shownFailure } from "../../state/store.ts";

/** undefined when it cannot be fetched; the page then says so. */
export async function scenarioText(path: string): Promise<string | undefined> {
  try {
    const version = gallery.find((entry) => entry.path === path)?.version ?? "";
    const response = await fetch(`scenarios/${path.split("/").map(encodeURIComponent).join("/")}?${version}`);
    if (!response.ok) throw new Error(String(response.status));
    return await response.text();
  } catch {
    shownFailure.value = { file: path, failure: { kind: "internal", message: t.value.gallery.fetchFailed, places: [] } };
    return undefined;
  }
}

/** By path: sources, findings and descriptions. Empty until they are fetched. */
export const searchWords = signal<Readonly<Record<string, string>>>({});
let isFetching = false;

export async function fetchSearchWords(): Promise<void> {
  if (isFetching) return;
  isFetching = true;
  try {
    searchWords.value = (await import("virtual:gallery-words")).words;
  } catch {
    // Titles and summaries can still be searched; the next key tries again.
    isFetching = false;
  }
}
