/**
 * A link holds everything: the scenario, the seed, what was typed, the position. Behind the `#`, so that no server ever sees it.
 *
 *   #s=BASE64URL(DEFLATE(JSON))&t=RECORD
 *
 * Links come from strangers: what they hold is bounded and checked before it is used.
 */

import * as v from "valibot";

const lineSchema = v.strictObject({ atNs: v.pipe(v.number(), v.integer(), v.minValue(0)), host: v.pipe(v.string(), v.maxLength(64)), line: v.pipe(v.string(), v.maxLength(65_536)) });
const sharedSchema = v.strictObject({
  v: v.literal(1),
  file: v.pipe(v.string(), v.maxLength(300)),
  text: v.pipe(v.string(), v.maxLength(4_194_304)),
  seed: v.optional(v.pipe(v.string(), v.maxLength(300))),
  inputs: v.optional(v.pipe(v.array(lineSchema), v.maxLength(10_000))),
});

/** What a link holds besides the position. */
export interface SharedRun {
  readonly file: string;
  readonly text: string;
  readonly seed: string | undefined;
  readonly inputs: readonly { readonly atNs: number; readonly host: string; readonly line: string }[];
}

export interface SharedLink extends SharedRun {
  /** Record in view, 0: none. */
  readonly id: number;
}

/** A link that cannot be used; the message says why. */
export class LinkError extends Error {
  override readonly name = "LinkError";
}

const INFLATED_BYTES_MAX = 8_388_608;

/** The part of a link that does not change with the position. */
export async function encodeRun({ file, text, seed, inputs }: SharedRun): Promise<string> {
  const json = JSON.stringify({ v: 1, file, text, ...(seed === undefined ? {} : { seed }), ...(inputs.length === 0 ? {} : { inputs }) });
  const bytes = await through(new TextEncoder().encode(json), new CompressionStream("deflate-raw"), Number.POSITIVE_INFINITY);
  return toBase64Url(bytes);
}

export function linkHash(run: string, id: number): string {
  return `#s=${run}&t=${id}`;
}

/** What the part behind `#` holds; undefined when it holds no run. Throws a LinkError. */
export async function decodeHash(hash: string): Promise<SharedLink | undefined> {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const run = fields.get("s");
  if (run === null) return undefined;
  const id = Number(fields.get("t") ?? "0");
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(await through(fromBase64Url(run), new DecompressionStream("deflate-raw"), INFLATED_BYTES_MAX)));
  } catch (error) {
    throw error instanceof LinkError ? error : new LinkError("the link is damaged: its end may have been cut off");
  }
  const parsed = v.safeParse(sharedSchema, json);
  if (!parsed.success) throw new LinkError("the link does not hold a scenario of this page's version");
  const { file, text, seed, inputs } = parsed.output;
  return { file, text, seed, inputs: inputs ?? [], id: Number.isSafeInteger(id) && id > 0 ? id : 0 };
}

async function through(bytes: Uint8Array, transform: CompressionStream | DecompressionStream, bytesMax: number): Promise<Uint8Array> {
  const writer = (transform.writable as WritableStream<Uint8Array>).getWriter();
  // A rejection shows at the reader, too.
  void writer.write(bytes).catch(() => undefined);
  void writer.close().catch(() => undefined);
  const reader = (transform.readable as ReadableStream<Uint8Array>).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    length += next.value.length;
    if (length > bytesMax) {
      void reader.cancel();
      throw new LinkError(`the link holds more than ${bytesMax} bytes`);
    }
    parts.push(next.value);
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function toBase64Url(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32_768) text += String.fromCharCode(...bytes.subarray(at, at + 32_768));
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function fromBase64Url(text: string): Uint8Array {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) throw new LinkError("the link is damaged: it has characters that do not belong there");
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
}
