/**
 * netstat -s says what net-tools 2.10 says. The outputs are the real program's: of tables in which every counter has a value of its own, and
 * of tables of zeros.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatStatistics, formatStatistics6 } from "../../../../src/shell/commands/netstat-statistics.ts";

type Outputs = Readonly<Record<string, string>>;
const REAL = JSON.parse(readFileSync(join(import.meta.dirname, "netstat-2.10-statistics.json"), "utf8")) as { readonly numbered: Outputs; readonly zero: Outputs };

const cases = (["numbered", "zero"] as const).flatMap((tables) =>
  Object.keys(REAL[tables])
    .filter((key) => key.startsWith("-"))
    .map((options) => ({ tables, options })),
);

test.each(cases)("netstat $options, $tables", ({ tables, options }) => {
  const { snmp = "", netstat = "" } = REAL[tables];
  const filter = { isTcp: options.includes("t"), isUdp: options.includes("u"), isRaw: options.includes("w") };
  const text = options.includes("6") ? formatStatistics6(snmp, filter) : formatStatistics([snmp, netstat], filter);
  expect(text).toBe(REAL[tables][options]);
});
