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
