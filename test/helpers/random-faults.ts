/**
 * Draws timelines of faults for a pair of directors with four servers, and clients that read pages all the while. Options are plain data, so
 * that a failure shrinks to few of them; `renderSoak` turns them into a scenario file.
 *
 *   client ── lan ── d1 (VIP), d2, rs1 ... rs4        direct routing
 *
 * What makes a director one is a `DirectorPair`: by hand, as here, or keepalived (director-pairs.ts).
 */

import fc from "fast-check";

export const VIP = "10.0.0.100";
export const SERVERS = ["rs1", "rs2", "rs3", "rs4"] as const;
export const FIRST_PORT = 20_000;
/** Lines of a page: some 5 kB. */
const PAGE_LINES = 500;
/** As long as one reading may take: any outage of a run and the retransmission that follows it. The web server waits for a request no longer. */
const PATIENCE_SECONDS = 60;
/** After the last fault, until everybody is asked once more. */
const REST_SECONDS = 6;
/** Readers begin within this time. */
const READERS_MS = 6000;
const FIRST_FAULT_MS = 3000;
/** Of a machine that is turned on, with some to spare. */
const BOOT_MS = 4000;
/** A slow reader sends so many lines of its request, one a second. */
const SLOW_LINES_MAX = 12;

/** How the two directors are set up, and what can happen to them beside the rest. */
export interface DirectorPair {
  readonly name: string;
  /** keepalived, which can be killed. */
  readonly hasDaemons: boolean;
  /** Files of a director, and what is typed on it. */
  files(director: "d1" | "d2"): Readonly<Record<string, string>>;
  run(director: "d1" | "d2"): readonly string[];
}

const SERVICE_LINES = [`-A -t ${VIP}:80 -s wlc`, ...SERVERS.map((_, i) => `-a -t ${VIP}:80 -r 10.0.0.${11 + i}:80 -g -w 1`)];

/** One director has the VIP and keeps it; its table and address come back after a reboot. The other one stands by. */
export const BY_HAND: DirectorPair = {
  name: "by hand",
  hasDaemons: false,
  files: (director): Readonly<Record<string, string>> => (director === "d2" ? {} : { "/etc/sysconfig/ipvsadm": `${SERVICE_LINES.join("\n")}\n`, "/etc/rc.local": `ip addr add ${VIP}/32 dev eth0\n` }),
  run: (director) => (director === "d2" ? [] : [`ip addr add ${VIP}/32 dev eth0`, "ipvsadm-restore < /etc/sysconfig/ipvsadm", "systemctl enable ipvsadm"]),
};

/** The first director is the master mostly: what happens to it matters most. */
const host = fc.constantFrom("d1", "d1", "d1", "d2", ...SERVERS, "client");
const server = fc.constantFrom(...SERVERS);
const mortal = fc.constantFrom("d1", "d1", "d1", "d2", ...SERVERS);
const words = fc.constantFrom(
  "loss 10%",
  "loss 30% 25%",
  "loss gemodel 5% 20%",
  "delay 50ms 20ms",
  "delay 100ms 30ms distribution normal",
  "duplicate 20%",
  "delay 30ms reorder 30% 50%",
  "loss 5% duplicate 5% delay 10ms 8ms corrupt 2%",
  "rate 400kbit",
);

/** A fault with its end, both as keys of a step. */
const fault = fc.oneof(
  fc.record({ kind: fc.constant("port" as const), host }),
  fc.record({ kind: fc.constant("cable" as const), host }),
  fc.record({ kind: fc.constant("switch" as const) }),
  fc.record({ kind: fc.constant("impairHost" as const), host, words }),
  fc.record({ kind: fc.constant("impairLink" as const), words }),
  fc.record({ kind: fc.constant("partition" as const), members: fc.uniqueArray(host, { minLength: 1, maxLength: 4 }) }),
  fc.record({ kind: fc.constant("dark" as const), host: mortal }),
  fc.record({ kind: fc.constant("death" as const), host: mortal }),
  fc.record({ kind: fc.constant("reset" as const), host: mortal }),
  fc.record({ kind: fc.constant("killed" as const), host: server }),
  fc.record({ kind: fc.constant("stopped" as const), host: server }),
  fc.record({ kind: fc.constant("slow" as const), host: server }),
  fc.record({ kind: fc.constant("full" as const), host: server }),
  fc.record({ kind: fc.constant("clock" as const), host }),
  fc.record({ kind: fc.constant("quiet" as const), host: server }),
);

/** What can happen to a director's keepalived. */
const daemonFault = fc.record({ kind: fc.constantFrom("daemonKilled" as const, "daemonStopped" as const, "daemonRestarted" as const), host: fc.constantFrom("d1" as const, "d2" as const) });

export type DrawnFault = typeof fault extends fc.Arbitrary<infer T> ? T : never;
export type DrawnDaemonFault = typeof daemonFault extends fc.Arbitrary<infer T> ? T : never;

/** When a reader begins; a slow one sends its request a line a second, so that its connection lives through faults. */
const reader = fc.record({ atMs: fc.integer({ min: 500, max: READERS_MS }), lines: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.integer({ min: 4, max: SLOW_LINES_MAX }) }) });

export type DrawnReader = typeof reader extends fc.Arbitrary<infer T> ? T : never;

/** All that can be drawn for a pair whose daemons have faults of their own, or none. */
export function soakOptions(hasDaemons: boolean) {
  const drawn: fc.Arbitrary<DrawnFault | DrawnDaemonFault> = hasDaemons ? fc.oneof({ weight: 6, arbitrary: fault }, { weight: 1, arbitrary: daemonFault }) : fault;
  return fc.record({
    seed: fc.nat(1_000_000),
    faults: fc.array(fc.record({ fault: drawn, gapMs: fc.integer({ min: 0, max: 3000 }), lengthMs: fc.integer({ min: 50, max: 6000 }) }), { minLength: 1, maxLength: 5 }),
    readers: fc.array(reader, { minLength: 2, maxLength: 6 }),
  });
}

export interface SoakOptions {
  readonly seed: number;
  readonly faults: readonly { readonly fault: DrawnFault | DrawnDaemonFault; readonly gapMs: number; readonly lengthMs: number }[];
  readonly readers: readonly DrawnReader[];
}

function addressOf(name: string): string {
  return `10.0.0.${11 + SERVERS.indexOf(name as (typeof SERVERS)[number])}`;
}

/** The steps that begin and end a fault. */
function stepsOf(drawn: DrawnFault | DrawnDaemonFault): { readonly begin: string; readonly end: string } {
  switch (drawn.kind) {
    case "port":
      return { begin: `down: ${drawn.host}`, end: `up: ${drawn.host}` };
    case "cable":
      return { begin: `break: ${drawn.host}`, end: `mend: ${drawn.host}` };
    case "switch":
      return { begin: "break: lan", end: "mend: lan" };
    case "impairHost":
      return { begin: `impair: ${drawn.host}.eth0, netem: "${drawn.words}"`, end: `impair: ${drawn.host}.eth0` };
    case "impairLink":
      return { begin: `impair: lan, netem: "${drawn.words}"`, end: "impair: lan" };
    case "partition":
      return { begin: `partition: lan, groups: [[${drawn.members.join(", ")}]]`, end: "partition: lan" };
    case "dark":
      return { begin: `crash: ${drawn.host}`, end: `up: ${drawn.host}` };
    case "death":
      return { begin: `crash: ${drawn.host}`, end: `reboot: ${drawn.host}, takes: 2s` };
    case "reset":
      return { begin: `reboot: ${drawn.host}, takes: 3s`, end: `up: ${drawn.host}` };
    case "killed":
      return { begin: `kill: ${drawn.host}, process: httpd`, end: `host: ${drawn.host}, run: service httpd start` };
    case "stopped":
      return { begin: `kill: ${drawn.host}, process: httpd, signal: STOP`, end: `kill: ${drawn.host}, process: httpd, signal: CONT` };
    case "slow":
      return { begin: `slow: ${drawn.host}, by: 700ms`, end: `slow: ${drawn.host}, by: 0` };
    case "full":
      return { begin: `backlog: ${drawn.host}, port: 80`, end: `backlog: ${drawn.host}, port: 80, full: false` };
    case "clock":
      return { begin: `clock: ${drawn.host}, by: 1h`, end: `clock: ${drawn.host}, by: -2h` };
    case "daemonKilled":
      return { begin: `kill: ${drawn.host}, process: keepalived`, end: `host: ${drawn.host}, run: service keepalived start` };
    case "daemonStopped":
      return { begin: `kill: ${drawn.host}, process: keepalived, signal: STOP`, end: `kill: ${drawn.host}, process: keepalived, signal: CONT` };
    case "daemonRestarted":
      return { begin: `host: ${drawn.host}, run: service keepalived stop`, end: `host: ${drawn.host}, run: service keepalived start` };
    case "quiet": {
      const edit = (weight: number) => `host: d1, run: "ipvsadm -e -t ${VIP}:80 -r ${addressOf(drawn.host)}:80 -g -w ${weight}"`;
      return { begin: edit(0), end: edit(1) };
    }
  }
}

/** The page that a server gives. */
export function pageOf(name: string): string {
  return `from ${name}\n`.repeat(PAGE_LINES);
}

const SETTINGS = "net.ipv4.conf.all.arp_ignore = 1\nnet.ipv4.conf.all.arp_announce = 2\n";

function renderHost(name: string, address: string, files: Readonly<Record<string, string>>, run: readonly string[]): string {
  const listed = Object.entries(files).map(([path, text]) => `      ${path}: ${JSON.stringify(text)}\n`);
  return `  ${name}:\n    interfaces: { eth0: { link: lan, address: ${address}/24 } }\n${listed.length > 0 ? `    files:\n${listed.join("")}` : ""}    run: ${JSON.stringify(run.join("\n"))}\n`;
}

/** A reading of the page by a local port of its own. */
function readStep(port: number, lines: number): string {
  const timeout = `host: client, timeout: ${PATIENCE_SECONDS + 5}s`;
  if (lines === 0) return `${timeout}, run: "curl -s -m ${PATIENCE_SECONDS} --local-port ${port} http://${VIP}/"`;
  const request = `(printf 'GET / HTTP/1.0\\\\r\\\\n'; for i in $(seq ${lines}); do sleep 1; printf 'X-Line: 1\\\\r\\\\n'; done; printf '\\\\r\\\\n')`;
  return `${timeout}, run: "${request} | nc -p ${port} ${VIP} 80"`;
}

/** When, in milliseconds of the timeline, all faults are over and had time to be forgotten. */
export function restedMs(options: SoakOptions): number {
  let atMs = FIRST_FAULT_MS;
  let endMs = READERS_MS;
  for (const { gapMs, lengthMs } of options.faults) {
    atMs += gapMs;
    endMs = Math.max(endMs, atMs + lengthMs + BOOT_MS);
  }
  return endMs + REST_SECONDS * 1000;
}

/** Readers get the local ports FIRST_PORT, FIRST_PORT + 1, ...; the last four ask when all is over. */
export function renderSoak(options: SoakOptions, pair: DirectorPair): string {
  const steps: { readonly atMs: number; readonly text: string }[] = [];
  let atMs = FIRST_FAULT_MS;
  for (const { fault: drawn, gapMs, lengthMs } of options.faults) {
    atMs += gapMs;
    const { begin, end } = stepsOf(drawn);
    steps.push({ atMs, text: begin }, { atMs: atMs + lengthMs, text: end });
  }
  const rested = restedMs(options);
  options.readers.forEach((one, index) => steps.push({ atMs: one.atMs, text: readStep(FIRST_PORT + index, one.lines) }));
  // What was killed while its machine was off, or on its way up, is started by hand.
  for (const name of SERVERS) steps.push({ atMs: rested - REST_SECONDS * 1000, text: `host: ${name}, run: service httpd start` });
  if (pair.hasDaemons) for (const name of ["d1", "d2"]) steps.push({ atMs: rested - REST_SECONDS * 1000, text: `host: ${name}, run: service keepalived start` });
  SERVERS.forEach((_, i) => steps.push({ atMs: rested + i * 100, text: readStep(FIRST_PORT + options.readers.length + i, 0) }));
  steps.sort((a, b) => a.atMs - b.atMs);
  return [
    `title: A soak, directors ${pair.name}`,
    `seed: ${options.seed}`,
    "links: { lan: { latency: 100us, bandwidth: 10Mbit } }",
    "hosts:",
    renderHost("client", "10.0.0.50", {}, ["true"]),
    ...(["d1", "d2"] as const).map((name, i) => renderHost(name, `10.0.0.${2 + i}`, pair.files(name), [...pair.run(name), "true"])),
    ...SERVERS.map((name) =>
      renderHost(name, addressOf(name), { "/etc/sysctl.conf": SETTINGS, "/etc/rc.local": `ip addr add ${VIP}/32 dev lo\n` }, [
        "sysctl -q -p",
        `ip addr add ${VIP}/32 dev lo`,
        `printf 'from ${name}\\n%.0s' $(seq ${PAGE_LINES}) > /var/www/html/index.html`,
        "systemctl enable httpd",
        "service httpd start",
      ]),
    ),
    "timeline:",
    ...steps.map((step) => `  - { at: ${step.atMs}ms, ${step.text} }`),
    "",
  ].join("\n");
}
