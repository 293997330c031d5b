/**
 * `keepalived -t` here against the real one's complaints, line by line, and its exit status. The files are in test/golden/keepalived, what
 * keepalived 2.2.7 said about them in test/golden/keepalived-2.2.7.json (scripts/record-keepalived-tests.mjs). The samples of Debian's package
 * are compared where it is installed.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { makeShellWorld, runToEnd, type ShellWorld } from "../../helpers/shell-run.ts";

const GOLDEN = join(import.meta.dirname, "../../golden");
const SAMPLES = "/usr/share/doc/keepalived/samples";

interface Recorded {
  readonly exit: number;
  readonly stderr: string;
}

const recorded = JSON.parse(readFileSync(join(GOLDEN, "keepalived-2.2.7.json"), "utf8")) as Readonly<Record<string, Recorded>>;
const names = Object.keys(recorded);
const own = names.filter((name) => name.startsWith("own/"));
const debian = names.filter((name) => name.startsWith("debian/"));

function worldWith(folder: string): ShellWorld {
  const world = makeShellWorld();
  const { machine } = world;
  machine.host.devices.addEthernet({ name: "eth0", mac: 0x020000000001, mtu: 1500, port: { hasCarrier: true, transmit: () => {} } as never });
  machine.files.makeDirectory("/tmp/ka", { parents: true });
  for (const name of readdirSync(folder)) if (name.includes("conf")) machine.files.write(`/tmp/ka/${name}`, readFileSync(join(folder, name), "utf8"));
  return world;
}

function test1(folder: string, name: string): Recorded | undefined {
  const result = runToEnd(worldWith(folder), `cd /tmp/ka; keepalived -t -i node -f ${name}`);
  return result === undefined ? undefined : { exit: result.exit, stderr: result.stderr };
}

describe("complains as keepalived 2.2.7", () => {
  test.each(own)("%s", (name) => {
    const said = test1(join(GOLDEN, "keepalived"), name.slice("own/".length));
    expect(said?.stderr).toBe(recorded[name]?.stderr);
    expect(said?.exit).toBe(recorded[name]?.exit);
  });
});

describe.skipIf(!existsSync(SAMPLES))("Debian's samples", () => {
  test.each(debian)("%s", (name) => {
    const said = test1(SAMPLES, name.slice("debian/".length));
    expect(said?.stderr).toBe(recorded[name]?.stderr);
    expect(said?.exit).toBe(recorded[name]?.exit);
  });
});
