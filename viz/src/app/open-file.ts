/**
 * Files from a person's computer: a scenario or a trace, told apart by how they begin.
 */

import { openSource } from "../state/store.ts";

const HEAD_BYTES = 64;

export async function openFile(file: File): Promise<void> {
  const head = (await file.slice(0, HEAD_BYTES).text()).trimStart();
  const isTrace = head.startsWith("{") || /\.(?:jsonl|ndjson)$/i.test(file.name);
  if (isTrace) await openSource({ kind: "trace", file: file.name, blob: file });
  else await openSource({ kind: "scenario", file: file.name, text: await file.text(), seed: undefined, inputs: [] });
}
