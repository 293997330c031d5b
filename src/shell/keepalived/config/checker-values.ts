/**
 * Values of checkers' options: digests, status codes, hexadecimal payloads, weights of files.
 *
 * keepalived v2.2.7 check/check_http.c, check_udp.c, check_file.c, lib/utils.c (read_hex_str).
 */

import type { ConnectOptions, HttpUrl, RealServer } from "./model.ts";
import type { Words } from "./words.ts";

const STATUS_MIN = 100;
const STATUS_MAX = 599;
const INT_MAX = 2_147_483_647;

export function regexOffset(words: Words, kind: string): number {
  if (words.length !== 2) words.report.log(`Missing or too may options for regex_${kind}_offset`);
  else if (/^\d+$/.test(words.at(1))) return Number(words.at(1));
  else words.report.log(`Invalid regex_${kind}_offset ${words.at(1)} specified`);
  return 0;
}

export function freshConnection(real: RealServer): ConnectOptions {
  return { destination: { ...real.address }, bindTo: undefined, bindPort: 0, bindDevice: undefined, connectTimeoutUs: undefined, mark: 0 };
}

export function isUntouched(connect: ConnectOptions, fresh: ConnectOptions): boolean {
  return JSON.stringify(connect) === JSON.stringify(fresh);
}

export function setFileWeight(words: Words, one: RealServer["trackFiles"][number] | undefined): void {
  const { report } = words;
  if (words.length < 2) return report.general("track file weight missing");
  const weight = words.int(1, -INT_MAX, INT_MAX, true);
  if (weight === undefined) return report.general(`weight for track file must be in [${-INT_MAX}..${INT_MAX}] inclusive. Ignoring...`);
  const option = words.list[2];
  if (option !== undefined && option !== "reverse" && option !== "noreverse") return report.general(`unknown track file weight option ${option} - ignoring`);
  if (one !== undefined) Object.assign(one, { weight, isReversed: option === "reverse" });
}

export function setDigest(words: Words, url: HttpUrl): void {
  const digest = words.at(1);
  if (url.digest !== undefined) words.report.general(`Digest '${digest}' is a duplicate`);
  else if (digest.length !== 32) words.report.general(`digest '${digest}' character length should be 32 rather than ${digest.length}`);
  else {
    for (let i = 15; i >= 0; i--) {
      if (/^[0-9a-fA-F]{2}$/.test(digest.slice(2 * i, 2 * i + 2))) continue;
      words.report.general(`Unable to interpret hex digit in '${digest.slice(0, 2 * i + 2)}' at offset ${2 * i}/${2 * i + 1}`);
      return;
    }
    url.digest = digest.toLowerCase();
  }
}

export function addStatusCodes(words: Words, url: HttpUrl): void {
  for (const text of words.list.slice(1)) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(text);
    const first = Number(match?.[1] ?? 0);
    const last = Number(match?.[2] ?? first);
    if (first < STATUS_MIN || first > STATUS_MAX || last < STATUS_MIN || last > STATUS_MAX || first > last)
      words.report.general(`Invalid HTTP_GET status code '${text}'`);
    else url.statusRanges.push({ first, last });
  }
}

/** Hexadecimal digits in pairs, blanks between; `x` in a mask stands for any. */
export function parseHex(text: string, hasWildcards: boolean): { readonly bytes: Uint8Array; readonly mask: Uint8Array | undefined } | undefined {
  const bytes: number[] = [];
  const mask: number[] = [];
  const digit = (character: string): readonly [number, number] | undefined => {
    if (/^[0-9a-fA-F]$/.test(character)) return [Number.parseInt(character, 16), 0];
    return hasWildcards && /^[xX]$/.test(character) ? [0, 15] : undefined;
  };
  for (let at = 0; at < text.length; ) {
    if (text[at] === " " || text[at] === "\t") {
      at++;
      continue;
    }
    const high = digit(text[at++] as string);
    if (high === undefined) return undefined;
    if (at >= text.length || text[at] === " ") {
      bytes.push(high[0]);
      mask.push(high[1]);
      continue;
    }
    const low = digit(text[at++] as string);
    if (low === undefined) return undefined;
    bytes.push(high[0] * 16 + low[0]);
    mask.push(high[1] * 16 + low[1]);
  }
  if (bytes.length === 0) return undefined;
  return { bytes: Uint8Array.from(bytes), mask: mask.some((one) => one !== 0) ? Uint8Array.from(mask) : undefined };
}
