/**
 * DNS and syslog as tcpdump tells them. udp-text.json: payloads, and what tcpdump 4.99.3 prints of each without -v, with -v, -vv and -vvv.
 */

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { PrintOptions } from "../../../src/wire/print.ts";
import { formatUdpText } from "../../../src/wire/udp-text.ts";

interface Case {
  readonly port: number;
  readonly hex: string;
  readonly lines: readonly string[];
}

const cases = JSON.parse(readFileSync(new URL("udp-text.json", import.meta.url), "utf8")) as readonly Case[];

test.each(cases)("port $port: $hex", ({ port, hex, lines }) => {
  const payload = new Uint8Array(Buffer.from(hex, "hex"));
  const ours = lines.map((_, verbosity) => {
    const options: PrintOptions = { isNumeric: true, verbosity, isQuick: false, sequences: undefined, isLinkShown: false };
    return formatUdpText([port, 40000], payload, payload.length, options);
  });
  expect(ours).toEqual(lines);
});
