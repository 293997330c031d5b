/**
 * Writes the random scheduler scripts of this folder: `node test/sched/generate.mjs [NAME...]`.
 *
 * Every service is a pure function of its row (its name is the seed), so a script can be made again at any time.
 * The `.picks` beside it are what Linux 6.1.176 answered; they are recorded, never computed. Without names all are written.
 *
 * Kept out, because there the answer depends on milliseconds and not on the scheduler: opening a connection again from the
 * same client address and port, and closing a connection whose server may have been deleted. Its FIN is dropped and sent
 * again, with doubling pauses, until the server returns, and with it the load of that server changes at a moment of its own.
 * The profile `wild` does close such connections, for schedulers that hardly look at the load.
 */
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Named mixtures of operations. `odds` are relative; a missing word never happens. */
const PROFILES = {
  steady: { odds: { open: 70, close: 25, add: 5 }, pool: 8, start: 5, weights: [1, 1, 2, 3, 4], lines: 200 },
  weights: { odds: { open: 60, close: 15, add: 4, edit: 20 }, pool: 8, start: 4, weights: [0, 1, 2, 3, 5, 8], lines: 220 },
  large: { odds: { open: 70, close: 15, add: 4, edit: 10 }, pool: 9, start: 4, weights: [10, 20, 50, 100, 64, 255, 1000], lines: 200 },
  limits: { odds: { open: 60, close: 18, add: 4, edit: 16, delete: 2 }, pool: 7, start: 4, weights: [1, 2, 3, 4], upper: 60, lower: 50, lines: 220 },
  churn: { odds: { open: 60, close: 15, add: 10, edit: 6, delete: 9 }, pool: 7, start: 4, weights: [1, 2, 3, 4], lines: 220 },
  all: { odds: { open: 60, close: 16, add: 8, edit: 10, delete: 6 }, pool: 8, start: 4, weights: [0, 1, 1, 2, 4, 7], upper: 25, lower: 40, lines: 230 },
  crowd: { odds: { open: 90, close: 5, edit: 3, delete: 1, add: 1 }, pool: 60, start: 40, weights: [1, 1, 2, 5], lines: 240 },
  wild: { odds: { open: 50, close: 30, add: 6, edit: 9, delete: 5 }, pool: 9, start: 4, weights: [1, 1, 2, 4], closesAll: true, lines: 220 },
  refused: { odds: { open: 40, close: 10, add: 18, edit: 16, delete: 16 }, pool: 6, start: 2, weights: [0, 1, 2, 3], upper: 30, lower: 60, careless: true, lines: 200 },
};

const SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"];

/** One row a service: [scheduler, profile, { flags, persist, fwmark, ports, clients }]; a script of one service is called after it. */
const JOBS = [
  ...SCHEDULERS.filter((scheduler) => !["wlc", "wrr"].includes(scheduler)).map((scheduler) => [scheduler, "all", {}]),
  ["sh", "all", { flags: ["sh-fallback"] }],
  ["sh", "all", { flags: ["sh-port"] }],
  ["mh", "all", { flags: ["mh-port"] }],
  ["mh", "all", { flags: ["mh-fallback"] }],
  ["mh", "limits", { flags: ["mh-fallback", "mh-port"], clients: 40 }],
  ["mh", "large", { flags: ["flag-2"], clients: 40 }],
  ["rr", "all", { persist: 600, fwmark: true, ports: [80, 8080] }],
  ["lblcr", "churn", { persist: 300, clients: 20 }],
  ["nq", "weights", { persist: 120, clients: 20 }],
  ["mh", "large", {}],
  ["sed", "large", {}],
  ["rr", "limits", {}],
  ["rr", "churn", {}],
  ["lc", "limits", {}],
  ["sed", "limits", {}],
  ["nq", "churn", {}],
  ["fo", "limits", {}],
  ["ovf", "limits", {}],
  ["dh", "churn", {}],
  ["lblc", "limits", {}],
  ["lblc", "churn", {}],
  ["lblcr", "limits", {}],
  ["lblcr", "weights", {}],
  ["mh", "churn", { clients: 60 }],
  ["mh", "crowd", { clients: 150 }],
  ["sh", "crowd", { clients: 150 }],
  ["dh", "crowd", {}],
  ["rr", "crowd", { fwmark: true }],
  ["lblcr", "crowd", {}],
  ["rr", "refused", {}],
  ["mh", "refused", { flags: ["mh-fallback"], clients: 30 }],
  ["ovf", "churn", { fwmark: true, ports: [80, 8080] }],
];

for (const scheduler of ["dh", "fo"]) JOBS.push([scheduler, "wild", {}]);

/** Scripts of several services, one after the other: at most about 450 connections stay open, the recording kernel's files. */
const SERIES = {
  "series-wrr-1": [
    ["wrr", "all", {}],
    ["wrr", "steady", { ports: [80, 8080] }],
    ["wrr", "limits", {}],
  ],
  "series-wrr-2": [
    ["wrr", "weights", {}],
    ["wrr", "large", {}],
    ["wrr", "churn", {}],
  ],
  "series-wrr-3": [
    ["wrr", "crowd", {}],
    ["wrr", "limits", { persist: 360 }],
  ],
  "series-wlc-sh-1": [
    ["wlc", "all", {}],
    ["sh", "large", {}],
    ["wlc", "all", { persist: 300 }],
  ],
  "series-wlc-sh-2": [
    ["sh", "weights", { flags: ["flag-1"], clients: 40 }],
    ["wlc", "churn", {}],
    ["sh", "limits", { flags: ["sh-fallback", "sh-port"], clients: 40 }],
  ],
  "series-wlc-sh-3": [
    ["wlc", "large", {}],
    ["sh", "churn", { persist: 300, flags: ["sh-fallback"], clients: 30 }],
    ["wlc", "refused", {}],
  ],
  "series-wild": [
    ["sh", "wild", {}],
    ["mh", "wild", {}],
    ["ovf", "wild", {}],
  ],
};

const FWMARK_SCHEDULERS = new Set(["dh", "lblc", "lblcr"]);

function nameOf([scheduler, profile, options]) {
  const parts = [scheduler, ...(options.flags ?? []).map((flag) => flag.replace(/^(sh|mh)-/, "")), profile];
  if (options.persist) parts.push(`persist${options.persist}`);
  if (options.fwmark) parts.push("fwmark");
  return parts.join("-");
}

/** mulberry32 over a 32-bit hash of the name: small, seeded, the same on every machine. */
function randomOf(name) {
  let state = 2166136261;
  for (const character of name) state = Math.imul(state ^ character.charCodeAt(0), 16777619) >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
  return {
    below: (n) => next() % n,
    of: (list) => list[next() % list.length],
    percent: (n) => next() % 100 < n,
  };
}

/** The lines of one service; `place` keeps names, addresses and client ports of a series apart. */
function makeService(job, place) {
  const [scheduler, profileName, options] = job;
  const profile = PROFILES[profileName];
  const random = randomOf(nameOf(job));
  const fwmark = options.fwmark ?? FWMARK_SCHEDULERS.has(scheduler);
  const ports = options.ports ?? [80];
  const pool = Array.from({ length: profile.pool }, (_, i) => `10.2.0.${i + 1}:${ports[i % ports.length]}`);
  const present = new Set();
  const nextPort = new Map();
  let closable = [];
  const letter = "cdefghijklmnopqrstuvwxyz"[place];
  let opened = 0;
  const settings = () => {
    const words = [`weight ${random.of(profile.weights)}`];
    if (profile.upper && random.percent(profile.upper)) {
      const upper = 1 + random.below(9);
      words.push(`upper ${upper}`);
      if (random.percent(profile.lower)) words.push(`lower ${1 + random.below(profile.careless ? upper + 3 : upper)}`);
    }
    return words.join(" ");
  };
  const choose = (isPresent) => {
    const list = profile.careless ? pool : pool.filter((server) => present.has(server) === isPresent);
    return list.length === 0 ? undefined : random.of(list);
  };
  const operations = {
    add() {
      const server = choose(false);
      if (server === undefined) return undefined;
      present.add(server);
      return `add ${server} ${settings()}`;
    },
    edit() {
      const server = choose(true);
      return server === undefined ? undefined : `edit ${server} ${settings()}`;
    },
    delete() {
      const server = choose(true);
      if (server === undefined) return undefined;
      present.delete(server);
      if (!profile.closesAll) closable = [];
      return `delete ${server}`;
    },
    open() {
      const client = `10.1.${random.percent(20) ? 1 : 0}.${1 + random.below(options.clients ?? 12)}`;
      const port = (nextPort.get(client) ?? 4000 + 1000 * place) + 1 + random.below(3);
      nextPort.set(client, port);
      opened += 1;
      closable.push(`${letter}${opened}`);
      const to = fwmark ? ` to 10.9.0.${1 + random.below(10)}:80` : "";
      return `open ${letter}${opened} from ${client}:${port}${to}`;
    },
    close() {
      if (closable.length === 0) return undefined;
      const [name] = closable.splice(random.below(closable.length), 1);
      return `close ${name}`;
    },
  };
  const words = [fwmark ? "fwmark 1" : `tcp 10.9.0.${place + 1}:80`, scheduler, ...(options.flags ?? [])];
  if (options.persist) words.push(`persist=${options.persist}`);
  const lines = [`service ${words.join(" ")}`];
  for (let i = 0; i < profile.start; i += 1) lines.push(operations.add());
  const bag = Object.entries(profile.odds).flatMap(([word, odds]) => Array(odds).fill(word));
  while (lines.length < profile.lines) {
    const line = operations[random.of(bag)]();
    if (line !== undefined) lines.push(line);
  }
  return lines;
}

const scripts = new Map(Object.entries(SERIES));
for (const job of JOBS) {
  if (scripts.has(nameOf(job))) throw new Error(`two scripts are called ${nameOf(job)}`);
  scripts.set(nameOf(job), [job]);
}
const folder = dirname(fileURLToPath(import.meta.url));
const wanted = process.argv.slice(2);
for (const name of wanted) if (!scripts.has(name)) throw new Error(`no script "${name}"; known: ${[...scripts.keys()].join(", ")}`);
for (const name of wanted.length > 0 ? wanted : scripts.keys()) {
  writeFileSync(join(folder, `${name}.sched`), `${scripts.get(name).flatMap(makeService).join("\n")}\n`);
}
