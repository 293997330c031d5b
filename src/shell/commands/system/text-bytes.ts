/**
 * Text of the simulated files as bytes: characters up to 255 are the bytes of a binary file, others are UTF-8.
 */

import { utf8Bytes, utf8Text } from "../../../base/bytes.ts";

export function bytesOf(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) return utf8Bytes(text);
    out[i] = code;
  }
  return out;
}

/** Bytes as text: UTF-8 when it is, else one character each. */
export function textOf(bytes: Uint8Array): string {
  const text = utf8Text(bytes);
  if (!text.includes("\ufffd")) return text;
  let raw = "";
  for (const byte of bytes) raw += String.fromCharCode(byte);
  return raw;
}

/** Of C, by byte. */
const ESCAPES: ReadonlyMap<number, string> = new Map([
  [7, "\\a"],
  [8, "\\b"],
  [9, "\\t"],
  [10, "\\n"],
  [11, "\\v"],
  [12, "\\f"],
  [13, "\\r"],
  [92, "\\\\"],
]);
/** Columns of such a row, the backslash at its end counted. */
const LIST_WIDTH = 70;

/** What `l` of sed prints of a text: C escapes and octal bytes, folded, a dollar at the end. */
export function unambiguous(text: string): string {
  let out = "";
  let width = 0;
  for (const byte of bytesOf(text)) {
    const isPlain = byte >= 32 && byte < 127;
    const shown = ESCAPES.get(byte) ?? (isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, "0")}`);
    if (width + shown.length >= LIST_WIDTH) {
      out += "\\\n";
      width = 0;
    }
    out += shown;
    width += shown.length;
  }
  return `${out}$\n`;
}

/** cat -v: control characters as ^X, bytes above 127 as M-X; tabs stay. */
export function visible(line: string): string {
  let out = "";
  for (const byte of bytesOf(line)) {
    const low = byte & 0x7f;
    const shown = low < 32 ? `^${String.fromCharCode(low + 64)}` : low === 127 ? "^?" : String.fromCharCode(low);
    out += byte === 9 ? "\t" : byte > 127 ? `M-${shown}` : shown;
  }
  return out;
}
