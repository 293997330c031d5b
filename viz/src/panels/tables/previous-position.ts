/**
 * Where the position was before the last move: what changed since then glows.
 */

import { effect, signal } from "@preact/signals";
import { currentId, moment } from "../../state/store.ts";

/** Record before the last move of the session in view, 0: it has not moved. */
export const previousId = signal(0);

let session = 0;
let last = 0;

effect(() => {
  const at = moment.value?.position.id ?? 0;
  if (currentId.value !== session) {
    session = currentId.value;
    previousId.value = 0;
  } else if (at !== last) previousId.value = last;
  last = at;
});
