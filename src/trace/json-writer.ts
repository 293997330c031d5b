/**
 * JSON as bytes, written piece by piece into one buffer: strings put together of many small ones would cost more to collect than to write.
 */

const CAPACITY = 131_072;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const ZERO = 0x30;
const HEX = "0123456789abcdef";
const SHORT_ESCAPES: Readonly<Record<number, string>> = { 8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", [QUOTE]: '\\"', [BACKSLASH]: "\\\\" };
const NINE_DIGITS = 1_000_000_000;

export class JsonWriter {
  #bytes = new Uint8Array(CAPACITY);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written since the last `take`, as a copy of its own. */
  take(): Uint8Array {
    const bytes = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return bytes;
  }

  /** JSON text as it stands. All characters must be ASCII. */
  put(text: string): void {
    const { length } = text;
    this.#reserve(length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < length; i++) bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** A safe integer; other numbers as JSON.stringify has them. */
  number(value: number): void {
    if (!Number.isSafeInteger(value)) {
      this.put(JSON.stringify(value));
      return;
    }
    this.#reserve(20);
    let rest = value;
    if (rest < 0) {
      this.#bytes[this.#length++] = MINUS;
      rest = -rest;
    }
    if (rest < NINE_DIGITS) {
      this.#digits(rest, digitCount(rest));
      return;
    }
    const high = Math.floor(rest / NINE_DIGITS);
    this.#digits(high, digitCount(high));
    this.#digits(rest - high * NINE_DIGITS, 9);
  }

  /** A string in quotes. */
  text(value: string): void {
    const { length } = value;
    // The worst that can become of a character is an escape of six.
    this.#reserve(6 * length + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x20 && code < 0x80 && code !== QUOTE && code !== BACKSLASH) {
        bytes[at++] = code;
        continue;
      }
      this.#length = at;
      if (this.#escape(value, i, code)) i++;
      at = this.#length;
    }
    bytes[at++] = QUOTE;
    this.#length = at;
  }

  /** Bytes as a string of characters U+0000 to U+00FF, in quotes. */
  latin1(value: Uint8Array): void {
    const { length } = value;
    this.#reserve(6 * length + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let i = 0; i < length; i++) {
      const code = value[i] as number;
      if (code >= 0x20 && code < 0x80 && code !== QUOTE && code !== BACKSLASH) bytes[at++] = code;
      else {
        this.#length = at;
        this.#escape("", 0, code);
        at = this.#length;
      }
    }
    bytes[at++] = QUOTE;
    this.#length = at;
  }

  boolean(value: boolean): void {
    this.put(value ? "true" : "false");
  }

  /** Writes a character that is not itself in JSON; true when it took two units of `value`. */
  #escape(value: string, index: number, code: number): boolean {
    if (code < 0x20 || code === QUOTE || code === BACKSLASH) {
      this.put(SHORT_ESCAPES[code] ?? `\\u00${HEX[code >> 4]}${HEX[code & 15]}`);
      return false;
    }
    const isPair = code >= 0xd800 && code < 0xdc00 && (value.charCodeAt(index + 1) & 0xfc00) === 0xdc00;
    if (code >= 0xd800 && code < 0xe000 && !isPair) {
      this.put(`\\u${code.toString(16)}`);
      return false;
    }
    this.#utf8(isPair ? (value.codePointAt(index) as number) : code);
    return isPair;
  }

  #utf8(code: number): void {
    const bytes = this.#bytes;
    if (code < 0x800) bytes[this.#length++] = 0xc0 | (code >> 6);
    else {
      if (code < 0x10000) bytes[this.#length++] = 0xe0 | (code >> 12);
      else {
        bytes[this.#length++] = 0xf0 | (code >> 18);
        bytes[this.#length++] = 0x80 | ((code >> 12) & 63);
      }
      bytes[this.#length++] = 0x80 | ((code >> 6) & 63);
    }
    bytes[this.#length++] = 0x80 | (code & 63);
  }

  #digits(value: number, count: number): void {
    const bytes = this.#bytes;
    let rest = value;
    for (let at = this.#length + count - 1; at >= this.#length; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = ZERO + rest - tenth * 10;
      rest = tenth;
    }
    this.#length += count;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const bytes = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + count));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
  }
}

function digitCount(value: number): number {
  let count = 1;
  for (let limit = 10; value >= limit && count < 9; limit *= 10) count++;
  return count;
}
