/**
 * The bytes of a packet as -x, -X and -A show them. tcpdump 4.99.3 print-ascii.c.
 */

const BYTES_PER_LINE = 16;
const HEX_CHARS = 40;

/** Lines of `\t0x0000:  4500 003c ...`, with the characters beside them when `hasAscii`. */
export function hexDump(bytes: Uint8Array, hasAscii: boolean): string {
  let text = "";
  for (let offset = 0; offset < bytes.length; offset += BYTES_PER_LINE) {
    const line = bytes.subarray(offset, offset + BYTES_PER_LINE);
    let hex = "";
    let ascii = "";
    line.forEach((byte, index) => {
      hex += `${index % 2 === 0 ? " " : ""}${byte.toString(16).padStart(2, "0")}`;
      ascii += byte > 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".";
    });
    text += `\n\t0x${offset.toString(16).padStart(4, "0")}: ${hasAscii ? `${hex.padEnd(HEX_CHARS)}  ${ascii}` : hex}`;
  }
  return text;
}

/** -A: printable characters, tabs and newlines; a carriage return before a newline is left out. */
export function asciiDump(bytes: Uint8Array): string {
  let text = "\n";
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    if (byte === 13) {
      if (bytes[at + 1] === 10) continue;
      text += ".";
    } else text += (byte > 0x20 && byte < 0x7f) || byte === 9 || byte === 32 || byte === 10 ? String.fromCharCode(byte) : ".";
  }
  return text;
}
