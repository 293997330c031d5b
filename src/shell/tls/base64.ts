/**
 * Base64 of PEM files (RFC 4648): blanks and line ends are skipped, other characters end it.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const LINE = 64;

export function base64Bytes(text: string): Uint8Array {
  const out: number[] = [];
  let word = 0;
  let bits = 0;
  for (const character of text) {
    if (/\s/.test(character)) continue;
    const digit = ALPHABET.indexOf(character);
    if (digit < 0) break;
    word = ((word << 6) | digit) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push((word >> bits) & 255);
  }
  return Uint8Array.from(out);
}

/** In lines of 64 characters, as PEM has them. */
export function base64Lines(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < bytes.length; i += 3) {
    const word = ((bytes[i] as number) << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
    const digits = [word >> 18, word >> 12, word >> 6, word].map((value) => ALPHABET.charAt(value & 63));
    const used = Math.min(3, bytes.length - i) + 1;
    out += digits.map((digit, place) => (place < used ? digit : "=")).join("");
  }
  return `${(out.match(new RegExp(`.{1,${LINE}}`, "g")) ?? []).join("\n")}\n`;
}
