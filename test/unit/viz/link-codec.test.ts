/**
 * Links: everything comes back; what strangers write is refused.
 */

import { expect, test } from "vitest";
import { decodeHash, encodeRun, LinkError, linkHash } from "../../../viz/src/state/link-codec.ts";

const RUN = { file: "a.yaml", text: "title: 标题\nhosts: {}\n", seed: "7", inputs: [{ atNs: 12, host: "rs1", line: "echo 'x' | tr x y" }] };

test("a run and a position come back", async () => {
  const hash = linkHash(await encodeRun(RUN), 42);
  expect(hash).toMatch(/^#s=[A-Za-z0-9_-]+&t=42$/);
  expect(await decodeHash(hash)).toEqual({ ...RUN, id: 42 });
});

test("without seed and lines", async () => {
  const hash = linkHash(await encodeRun({ ...RUN, seed: undefined, inputs: [] }), 0);
  expect(await decodeHash(hash)).toEqual({ ...RUN, seed: undefined, inputs: [], id: 0 });
});

test("an address without a run holds nothing", async () => {
  expect(await decodeHash("")).toBeUndefined();
  expect(await decodeHash("#t=4")).toBeUndefined();
});

test("a position that is no number is the start", async () => {
  expect(await decodeHash(`#s=${await encodeRun(RUN)}&t=-1`)).toMatchObject({ id: 0 });
});

async function refused(hash: string): Promise<string> {
  const error = await decodeHash(hash).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(LinkError);
  return (error as LinkError).message;
}

test("cut off, changed, foreign and huge links are refused", async () => {
  const run = await encodeRun(RUN);
  expect(await refused(`#s=${run.slice(0, -6)}`)).toContain("damaged");
  expect(await refused("#s=%3Cscript%3E")).toContain("characters");
  expect(await refused("#s=AAAA")).toContain("damaged");
  expect(await refused(`#s=${await encodeRun({ ...RUN, file: "x".repeat(400) })}`)).toContain("does not hold a scenario");
  expect(await refused(`#s=${await encodeRun({ ...RUN, text: "a".repeat(9_000_000) })}`)).toContain("more than");
});
