/**
 * Draws scheduler scripts: every scheduler and flag with mixtures of commands and connections. A script is a pure function of its name, so that only
 * what the kernel answered is kept (`test/sched/drawn/`).
 *
 * Left out is what depends on milliseconds and not on the scheduler: opening again from an address and port used before, and closing a
 * connection whose server may have been deleted (its FIN is dropped and sent again with doubling pauses until the server is back).
 */

import { createHash } from "node:crypto";
import { Chance } from "./chance.ts";

type Operation = "open" | "close" | "add" | "edit" | "delete";

interface Profile {
  /** Relative; a missing word never happens. */
  readonly odds: Readonly<Partial<Record<Operation, number>>>;
  /** How many servers there are, and how many of them at the start. */
  readonly pool: number;
  readonly start: number;
  readonly weights: readonly number[];
  /** Percentages of servers with an upper, and of those with a lower threshold. */
  readonly upper?: number;
  readonly lower?: number;
  /** Commands also about servers that are there already, or not there. */
  readonly isCareless?: boolean;
}

const PROFILES = {
  steady: { odds: { open: 70, close: 25, add: 5 }, pool: 8, start: 5, weights: [1, 1, 2, 3, 4] },
  weights: { odds: { open: 60, close: 15, add: 4, edit: 20 }, pool: 8, start: 4, weights: [0, 1, 2, 3, 5, 8] },
  large: { odds: { open: 70, close: 15, add: 4, edit: 10 }, pool: 9, start: 4, weights: [10, 20, 50, 100, 64, 255, 1000] },
  limits: { odds: { open: 60, close: 18, add: 4, edit: 16, delete: 2 }, pool: 7, start: 4, weights: [1, 2, 3, 4], upper: 60, lower: 50 },
  churn: { odds: { open: 60, close: 15, add: 10, edit: 6, delete: 9 }, pool: 7, start: 4, weights: [1, 2, 3, 4] },
  all: { odds: { open: 60, close: 16, add: 8, edit: 10, delete: 6 }, pool: 8, start: 4, weights: [0, 1, 1, 2, 4, 7], upper: 25, lower: 40 },
  crowd: { odds: { open: 90, close: 5, edit: 3, delete: 1, add: 1 }, pool: 60, start: 40, weights: [1, 1, 2, 5] },
  refused: { odds: { open: 55, close: 10, add: 12, edit: 12, delete: 11 }, pool: 6, start: 2, weights: [0, 1, 2, 3], upper: 30, lower: 60, isCareless: true },
} as const satisfies Readonly<Record<string, Profile>>;

type ProfileName = keyof typeof PROFILES;

/** One script. */
export interface DrawnScript {
  readonly scheduler: string;
  readonly name: string;
  readonly text: string;
  /** Of the text. */
  readonly hash: string;
}

interface Service {
  readonly profile: ProfileName;
  readonly flags?: readonly string[];
  readonly persist?: number;
  readonly isMark?: boolean;
  readonly ports?: readonly number[];
  readonly clients?: number;
}

/** Schedulers that the recording kernel has; it is built without `twos`. */
export const DRAWN_SCHEDULERS = ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh"] as const;

/** Those that look at the destination: one virtual address would tell nothing. */
const BY_DESTINATION = new Set(["dh", "lblc", "lblcr"]);
const OWN_FLAGS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  sh: [["sh-port"], ["sh-fallback"], ["sh-port", "sh-fallback"]],
  mh: [["mh-port"], ["mh-fallback"], ["mh-port", "mh-fallback"]],
};
const LINES = 300;
const ROUNDS = 2;
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/** Every script of a scheduler. */
export function drawScripts(scheduler: string): DrawnScript[] {
  const services: Service[] = [];
  for (const profile of Object.keys(PROFILES) as ProfileName[]) services.push({ profile });
  services.push(
    { profile: "all", persist: 300, clients: 40 },
    { profile: "churn", persist: 120, clients: 25, ports: [80, 8080] },
    { profile: "limits", isMark: true, ports: [80, 8080] },
    { profile: "weights", isMark: true, persist: 600, clients: 60 },
    { profile: "all", flags: ["flag-3"], clients: 100 },
  );
  for (const flags of OWN_FLAGS[scheduler] ?? []) {
    services.push({ profile: "all", flags, clients: 60 }, { profile: "limits", flags, clients: 40 }, { profile: "churn", flags, persist: 300, clients: 40 });
  }
  return services.flatMap((service) => Array.from({ length: ROUNDS }, (_, round) => drawScript(scheduler, service, round + 1)));
}

function nameOf(scheduler: string, { profile, flags = [], persist, isMark = false, ports = [] }: Service, round: number): string {
  const parts = [scheduler, profile, ...flags, ...(persist === undefined ? [] : [`persist=${persist}`]), ...(isMark ? ["mark"] : []), ...(ports.length > 0 ? ["ports"] : [])];
  return `${parts.join(",")}#${round}`;
}

function drawScript(scheduler: string, service: Service, round: number): DrawnScript {
  const name = nameOf(scheduler, service, round);
  const text = new ScriptDraw(scheduler, service, new Chance(name)).draw();
  return { scheduler, name, text, hash: createHash("sha256").update(text).digest("hex").slice(0, 8) };
}

class ScriptDraw {
  readonly #chance: Chance;
  readonly #profile: Profile;
  readonly #service: Service;
  readonly #isMark: boolean;
  readonly #head: string;
  readonly #pool: readonly string[];
  readonly #present = new Set<string>();
  readonly #nextPort = new Map<string, number>();
  #closable: string[] = [];
  #openCount = 0;

  constructor(scheduler: string, service: Service, chance: Chance) {
    this.#chance = chance;
    this.#service = service;
    this.#profile = PROFILES[service.profile];
    this.#isMark = service.isMark ?? BY_DESTINATION.has(scheduler);
    const { ports = [80], flags = [], persist } = service;
    this.#pool = Array.from({ length: this.#profile.pool }, (_, i) => `10.2.0.${i + 1}:${ports[i % ports.length]}`);
    const words = [this.#isMark ? "fwmark 1" : "tcp 10.9.0.1:80", scheduler, ...flags, ...(persist === undefined ? [] : [`persist=${persist}`])];
    this.#head = `service ${words.join(" ")}`;
  }

  draw(): string {
    const lines = [this.#head];
    for (let i = 0; i < this.#profile.start; i++) lines.push(this.#add() ?? "");
    const bag = Object.entries(this.#profile.odds).flatMap(([word, odds]) => Array.from({ length: odds ?? 0 }, () => word as Operation));
    while (lines.length < LINES) {
      const line = this.#operation(this.#chance.of(bag));
      if (line !== undefined) lines.push(line);
    }
    return `${lines.join("\n")}\n`;
  }

  #operation(word: Operation): string | undefined {
    switch (word) {
      case "open":
        return this.#open();
      case "close":
        return this.#close();
      case "add":
        return this.#add();
      case "edit":
        return this.#edit();
      case "delete":
        return this.#delete();
    }
  }

  #settings(): string {
    const { weights, upper = 0, lower = 0, isCareless = false } = this.#profile;
    const words = [`weight ${this.#chance.of(weights)}`];
    if (this.#chance.percent(upper)) {
      const most = 1 + this.#chance.below(9);
      words.push(`upper ${most}`);
      if (this.#chance.percent(lower)) words.push(`lower ${1 + this.#chance.below(isCareless ? most + 3 : most)}`);
    }
    return words.join(" ");
  }

  #choose(isPresent: boolean): string | undefined {
    const list = this.#profile.isCareless === true ? this.#pool : this.#pool.filter((server) => this.#present.has(server) === isPresent);
    return list.length === 0 ? undefined : this.#chance.of(list);
  }

  #add(): string | undefined {
    const server = this.#choose(false);
    if (server === undefined) return undefined;
    this.#present.add(server);
    return `add ${server} ${this.#settings()}`;
  }

  #edit(): string | undefined {
    const server = this.#choose(true);
    return server === undefined ? undefined : `edit ${server} ${this.#settings()}`;
  }

  #delete(): string | undefined {
    const server = this.#choose(true);
    if (server === undefined) return undefined;
    this.#present.delete(server);
    this.#closable = [];
    return `delete ${server}`;
  }

  #open(): string {
    const client = `10.1.${this.#chance.percent(20) ? 1 : 0}.${1 + this.#chance.below(this.#service.clients ?? 12)}`;
    const port = (this.#nextPort.get(client) ?? 4000) + 1 + this.#chance.below(3);
    this.#nextPort.set(client, port);
    const name = `c${++this.#openCount}`;
    this.#closable.push(name);
    const to = this.#isMark ? ` to 10.9.0.${1 + this.#chance.below(10)}:80` : "";
    return `open ${name} from ${client}:${port}${to}`;
  }

  #close(): string | undefined {
    if (this.#closable.length === 0) return undefined;
    const [name] = this.#closable.splice(this.#chance.below(this.#closable.length), 1);
    return `close ${name}`;
  }
}

/** What was said to a script, a letter a connection: its server, or `-`; what a refused command said is in braces. */
export function shortPicks(lines: readonly string[]): string {
  return lines
    .map((line) => {
      if (line.startsWith("! ")) return `{${line.slice(line.indexOf(": ") + 2)}}`;
      const server = line.split(" ")[1] ?? "";
      return server === "-" ? "-" : (LETTERS[Number(server.split(":")[0]?.split(".")[3]) - 1] ?? "?");
    })
    .join("");
}

/** How many connections are told of. */
export function pickCount(short: string): number {
  return short.replace(/\{[^}]*\}/g, "").length;
}
