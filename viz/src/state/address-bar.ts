/**
 * The page's address follows the session and position, and a link opens both.
 */

import { effect } from "@preact/signals";
import { decodeHash, encodeRun, LinkError, linkHash } from "./link-codec.ts";
import { current, moment, openSource, shownFailure, view } from "./store.ts";

/** Browsers refuse addresses that change too often. */
const EVERY_MS = 1000;

let runKey = "";
let runText = "";

/** The address that opens what is in view; undefined for a trace file, which no link can hold. */
export async function currentLink(): Promise<string | undefined> {
  const source = current.value?.source;
  if (source?.kind !== "scenario") return undefined;
  const key = JSON.stringify([source.file, source.text, source.seed, source.inputs]);
  if (key !== runKey) {
    runText = await encodeRun(source);
    runKey = key;
  }
  return `${location.href.replace(/#.*$/s, "")}${linkHash(runText, moment.value?.position.id ?? 0)}`;
}

/** Opens what the address holds; false when it holds nothing. */
export async function openAddress(): Promise<boolean> {
  try {
    const link = await decodeHash(location.hash);
    if (link === undefined) return false;
    const { file, text, seed, inputs, id } = link;
    await openSource({ kind: "scenario", file, text, seed, inputs }, id === 0 ? {} : { id });
  } catch (error) {
    if (!(error instanceof LinkError)) throw error;
    shownFailure.value = { file: location.host, failure: { kind: "scenario", message: error.message, places: [] } };
  }
  return true;
}

/** From now on the address follows. */
export function followInAddress(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let shown = location.hash;
  const update = async () => {
    timer = undefined;
    const link = view.value === "lab" ? await currentLink() : undefined;
    const hash = link === undefined ? "" : link.slice(link.indexOf("#"));
    if (hash === shown) return;
    shown = hash;
    history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
  };
  effect(() => {
    void [current.value, moment.value, view.value];
    timer ??= setTimeout(() => void update(), EVERY_MS);
  });
  addEventListener("hashchange", () => {
    if (location.hash === shown) return;
    shown = location.hash;
    void openAddress();
  });
}
