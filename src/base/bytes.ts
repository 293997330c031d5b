/**
 * Byte strings: the shared empty one, text in and out of UTF-8 without the platform's TextEncoder.
 */

/** The one empty payload that all frames without data share. */
export const EMPTY_BYTES: Uint8Array = new Uint8Array(0);

export function utf8Bytes(text: string): Uint8Array {
  const out: number[] = [];
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x80) out.push(code);
    else if (code < 0x800) out.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) out.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else out.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return Uint8Array.from(out);
}

/** Decodes UTF-8; a malformed sequence becomes U+FFFD, never an error. */
export function utf8Text(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i] ?? 0;
    const length = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : first >= 0xe0 && first < 0xf0 ? 3 : first >= 0xf0 && first < 0xf5 ? 4 : 0;
    let code = length === 1 ? first : first & (0x7f >> length);
    let used = 1;
    while (used < length && ((bytes[i + used] ?? 0) & 0xc0) === 0x80) code = (code << 6) | ((bytes[i + used++] ?? 0) & 63);
    const isValid = length > 0 && used === length && !(length === 3 && (code < 0x800 || (code >= 0xd800 && code < 0xe000))) && !(length === 4 && (code < 0x10000 || code > 0x10ffff));
    text += isValid ? String.fromCodePoint(code) : "\ufffd";
    i += Math.max(used, 1);
  }
  return text;
}

export function concatBytes(chunks: readonly Uint8Array[]): Uint8Array {
  if (chunks.length === 1) return chunks[0] ?? EMPTY_BYTES;
  let length = 0;
  for (const chunk of chunks) length += chunk.length;
  const out = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    out.set(chunk, offset);
    offset += chunk.length;
  }
  return out;
}

/** Bytes as text, one character each. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return text;
}
