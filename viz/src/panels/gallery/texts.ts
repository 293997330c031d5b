/**
 * Texts of the gallery's scenarios, fetched one by one.
 */

import { t } from "../../state/preferences.ts";
import { shownFailure } from "../../state/store.ts";

const texts = import.meta.glob<string>("../../../../scenarios/**/*.yaml", { query: "?raw", import: "default" });
const PREFIX = "../../../../scenarios/";

/** undefined when it cannot be fetched; the page then says so. */
export async function scenarioText(path: string): Promise<string | undefined> {
  try {
    return (await texts[`${PREFIX}${path}`]?.()) ?? "";
  } catch {
    shownFailure.value = { file: path, failure: { kind: "internal", message: t.value.gallery.fetchFailed, places: [] } };
    return undefined;
  }
}
