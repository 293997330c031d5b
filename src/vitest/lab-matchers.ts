/**
 * Matchers about what happened in a lab. All but `toReach` and `toMeetExpectations` only look at the records that the lab has kept.
 */

import { Lab, type PacketPath, type RunResult } from "../index.ts";
import { formatIpv4Address, formatMacAddress, parseIpv4Address, parseMacAddress, type DropReason } from "../trace/index.ts";
import { dropsOf, ladderOf, listDrops, listed, listWays, mustKeepAll, quoted, type Verdict } from "./evidence.ts";

export interface ReachOptions {
  /** Simulated time to wait for the answer, as in scenario files; `3s` when absent. At least a second. */
  readonly timeout?: string | number;
}

export interface BalanceOptions {
  /**
   * How far a share of all connections may be from the expected one: 0.05 is five percentage points. Without it nobody may be more than
   * one whole connection off.
   */
  readonly tolerance?: number;
  /** Only connections to this service, as `ipvsadm` shows it: `TCP 10.0.0.100:80`, or a part of that. */
  readonly service?: string;
}

function mustBeLab(received: unknown, matcher: string): Lab {
  if (received instanceof Lab) return received;
  throw new TypeError(`${matcher} needs a Lab: expect(lab).${matcher}(...)`);
}

function addressOf(text: string): number {
  const address = parseIpv4Address(text);
  if (address === undefined) throw new TypeError(`${JSON.stringify(text)} is not an IPv4 address; write "10.0.0.100"`);
  return address;
}

/* ---------------------------------------------------------------------------------------------------------------- toReach */

/** The command that finds out, by the form of the target. */
function probeOf(target: string, seconds: number): string {
  const quotedTarget = `'${target.replace(/'/g, "'\\''")}'`;
  if (/^https?:\/\//.test(target)) return `curl -sS -o /dev/null -m ${seconds} ${quotedTarget}`;
  const [address = "", port] = target.split(":");
  addressOf(address);
  if (port === undefined) return `ping -c 1 -W ${seconds} ${address}`;
  if (!/^\d{1,5}$/.test(port)) throw new TypeError(`${JSON.stringify(target)} is not a target; write "10.0.0.100", "10.0.0.100:80" or "http://10.0.0.100/"`);
  return `nc -z -w ${seconds} ${address} ${port}`;
}

export function toReach(received: unknown, from: string, target: string, options: ReachOptions = {}): Verdict {
  const lab = mustBeLab(received, "toReach");
  const seconds = secondsOf(options.timeout ?? "3s");
  const { timeNs } = lab.position;
  const command = probeOf(target, seconds);
  const result = lab.run(from, command, { timeout: seconds + 10 });
  const pass = result.exit === 0;
  return {
    pass,
    message: () =>
      pass
        ? `expected ${from} not to reach ${target}, but it does (${command})${quoted("stdout", result.stdout)}${ladderOf(lab, timeNs)}`
        : `expected ${from} to reach ${target}, but ${command} ended with ${result.exit}${quoted("stdout", result.stdout)}${quoted("stderr", result.stderr)}${ladderOf(lab, timeNs)}`,
  };
}

function secondsOf(timeout: string | number): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m)?$/.exec(String(timeout));
  const unit = match?.[2] === "ms" ? 0.001 : match?.[2] === "m" ? 60 : 1;
  if (match === null) throw new TypeError(`timeout ${JSON.stringify(timeout)} is not a time; write "3s" or a number of seconds`);
  return Math.max(1, Math.ceil(Number(match[1]) * unit));
}

/* --------------------------------------------------------------------------------------------------------------- toFollow */

function pathsOf(received: unknown): readonly PacketPath[] {
  if (received instanceof Lab) return received.packets();
  if (Array.isArray(received) && received.every((path: unknown) => typeof path === "object" && path !== null && "hosts" in path)) return received as PacketPath[];
  throw new TypeError("toFollow needs a Lab or its packets: expect(lab).toFollow(...), expect(lab.packets({ to: \"10.0.0.100:80\" })).toFollow(...)");
}

export function toFollow(received: unknown, ...hosts: string[]): Verdict {
  const paths = pathsOf(received);
  const lab = received instanceof Lab ? received : undefined;
  for (const name of lab === undefined ? [] : hosts) lab?.host(name);
  const way = hosts.join(" > ");
  const found = paths.find((path) => path.end === "received" && path.hosts.join(" > ") === way);
  return {
    pass: found !== undefined,
    message: () => {
      const ladder = lab === undefined ? "" : ladderOf(lab);
      if (found !== undefined) return `expected no packet to go ${way}, but one did: ${found.text}${ladder}`;
      return `expected a packet to go ${way}, but ${paths.length === 0 ? "there is no packet" : `the packets went:${listWays(paths)}`}${ladder}`;
    },
  };
}

/* -------------------------------------------------------------------------------------------------------------- toBalance */

/** Who got each connection: names of hosts where the address is a host's, and the address itself. */
function choicesOf(received: unknown, service: string | undefined): readonly (readonly string[])[] {
  if (Array.isArray(received) && received.every((item) => typeof item === "string")) return (received as string[]).map((name) => [name]);
  const lab = mustBeLab(received, "toBalance");
  mustKeepAll(lab, "toBalance");
  const owners = new Map<string, string>();
  for (const host of lab.scenario.hosts)
    for (const one of host.interfaces) for (const { address } of one.addresses) owners.set(formatIpv4Address(address), host.name);
  const choices: string[][] = [];
  for (const event of lab.events) {
    if (event.kind !== "scheduled" || event.chosen === undefined || (service !== undefined && !event.service.includes(service))) continue;
    const address = event.chosen.split(":")[0] as string;
    const owner = owners.get(address);
    choices.push(owner === undefined ? [event.chosen, address] : [owner, event.chosen, address]);
  }
  return choices;
}

export function toBalance(received: unknown, shares: Readonly<Record<string, number>>, options: BalanceOptions = {}): Verdict {
  const { tolerance } = options;
  const total = Object.values(shares).reduce((sum, share) => sum + share, 0);
  if (!(total > 0) || Object.values(shares).some((share) => !(share >= 0))) throw new TypeError("toBalance needs shares of 0 or more, one above 0: { rs1: 2, rs2: 1 }");
  if (tolerance !== undefined && !(tolerance >= 0 && tolerance < 1)) throw new TypeError(`tolerance ${tolerance} is no share; write 0.05 for five percentage points`);
  const choices = choicesOf(received, options.service);
  const counts = new Map<string, number>(Object.keys(shares).map((name) => [name, 0]));
  const names: string[] = [];
  for (const choice of choices) {
    const name = choice.find((candidate) => counts.has(candidate) && !names.includes(candidate)) ?? (choice[0] as string);
    if (!Object.hasOwn(shares, name) && !names.includes(name)) names.push(name);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const isOff = (name: string, count: number): boolean => {
    const expected = (choices.length * (shares[name] ?? 0)) / total;
    if (!Object.hasOwn(shares, name)) return true;
    return tolerance === undefined ? Math.abs(count - expected) > 1 : Math.abs(count - expected) / choices.length > tolerance + Number.EPSILON;
  };
  const pass = choices.length > 0 && [...counts].every(([name, count]) => !isOff(name, count));
  const table = listed(
    [...counts].map(([name, count]) => {
      const expected = Object.hasOwn(shares, name) ? ((choices.length * (shares[name] ?? 0)) / total).toFixed(1) : "none";
      return `${name}: ${count} of ${choices.length}, expected ${expected}${isOff(name, count) ? "  <-" : ""}`;
    }),
  );
  const bound = tolerance === undefined ? "within one connection" : `within ${(tolerance * 100).toFixed(1)} percentage points`;
  const wanted = Object.entries(shares)
    .map(([name, share]) => `${name} ${share}`)
    .join(" : ");
  return {
    pass,
    message: () =>
      choices.length === 0
        ? `expected connections to balance ${wanted}, but no connection was scheduled${received instanceof Lab ? ladderOf(received) : ""}`
        : `expected connections ${pass ? "not " : ""}to balance ${wanted} ${bound}:${table}`,
  };
}

/* ----------------------------------------------------------------------------------------------------------------- toDrop */

export function toDrop(received: unknown, reason?: DropReason, options: { readonly host?: string } = {}): Verdict {
  const lab = mustBeLab(received, "toDrop");
  mustKeepAll(lab, "toDrop");
  if (options.host !== undefined && !lab.scenario.links.some(({ name }) => name === options.host)) lab.host(options.host);
  // A frame that a switch floods to everybody dies at all but one, which is no loss.
  const drops = dropsOf(lab).filter((drop) => drop.reason !== "OTHERHOST" || reason === "OTHERHOST");
  const found = drops.filter((drop) => (reason === undefined || drop.reason === reason) && (options.host === undefined || drop.host === options.host));
  const what = `${reason === undefined ? "a drop" : `a drop ${reason}`}${options.host === undefined ? "" : ` on ${options.host}`}`;
  return {
    pass: found.length > 0,
    message: () =>
      found.length > 0
        ? `expected no${what.slice(1)}, but there was:${listDrops(found)}${ladderOf(lab)}`
        : `expected ${what}, but ${drops.length === 0 ? "nothing was dropped" : `what was dropped is:${listDrops(drops)}`}${ladderOf(lab)}`,
  };
}

/* ------------------------------------------------------------------------------------------------------------ toAnswerArp */

export function toAnswerArp(this: { readonly isNot?: boolean }, received: unknown, address: string, ...hosts: string[]): Verdict {
  const lab = mustBeLab(received, "toAnswerArp");
  mustKeepAll(lab, "toAnswerArp");
  if (hosts.length === 0) throw new TypeError('toAnswerArp needs who answers: toAnswerArp("10.0.0.100", "director")');
  for (const name of hosts) lab.host(name);
  const target = addressOf(address);
  const decisions = lab.events.filter((event) => event.kind === "arp-decision").filter((event) => event.target === target);
  const answered = [...new Set(decisions.filter((event) => event.isAnswered).map((event) => event.host))];
  const isAny = hosts.some((name) => answered.includes(name));
  const isExact = hosts.every((name) => answered.includes(name)) && answered.length === hosts.length;
  const list = listed(
    [...new Set(decisions.map((event) => `${event.host}.${event.device}: ${event.isAnswered ? "answered" : "silent"}${event.detail === "" ? "" : `, ${event.detail}`}`))],
  );
  return {
    pass: this.isNot === true ? isAny : isExact,
    message: () => {
      const who = `${this.isNot === true ? "none of" : "exactly"} ${hosts.join(", ")} to answer ARP requests for ${address}`;
      return `expected ${who}, but ${decisions.length === 0 ? "nobody heard one" : `${answered.length === 0 ? "nobody" : answered.join(", ")} did:${list}`}${ladderOf(lab)}`;
    },
  };
}

/* -------------------------------------------------------------------------------------------------------- toHaveNeighbour */

export function toHaveNeighbour(received: unknown, host: string, address: string, owner?: string): Verdict {
  const lab = mustBeLab(received, "toHaveNeighbour");
  lab.host(host);
  const wanted = addressOf(address);
  const owners = new Map<number, string>();
  for (const one of lab.scenario.hosts) for (const spec of one.interfaces) owners.set(spec.mac, one.name);
  const mac = owner === undefined ? undefined : parseMacAddress(owner);
  if (owner !== undefined && mac === undefined) lab.host(owner);
  const entries = lab.world.machine(host).host.neighbours.list.map((entry) => ({
    address: entry.address,
    mac: entry.mac,
    isUsable: entry.mac !== 0 && entry.state !== "FAILED" && entry.state !== "INCOMPLETE",
    text: `${formatIpv4Address(entry.address)} dev ${entry.device.name} ${entry.mac === 0 ? "" : `lladdr ${formatMacAddress(entry.mac)} (${owners.get(entry.mac) ?? "nobody"}) `}${entry.state}`,
  }));
  const found = entries.find(
    (entry) => entry.address === wanted && entry.isUsable && (owner === undefined || entry.mac === mac || owners.get(entry.mac) === owner),
  );
  const list = entries.length === 0 ? " has no neighbour" : ` has:${listed(entries.map((entry) => entry.text))}`;
  return {
    pass: found !== undefined,
    message: () =>
      `expected ${host} ${found === undefined ? "to have" : "not to have"} neighbour ${address}${owner === undefined ? "" : ` at ${owner}`}, but it${list}${found === undefined ? ladderOf(lab) : ""}`,
  };
}

/* ----------------------------------------------------------------------------------------------------- toMeetExpectations */

export function toMeetExpectations(received: unknown): Verdict {
  const isResult = typeof received === "object" && received !== null && "unmet" in received && "timeline" in received;
  const lab = isResult ? undefined : mustBeLab(received, "toMeetExpectations");
  const { unmet } = isResult ? (received as RunResult) : (lab as Lab).runToEnd();
  const lines = unmet.map(({ place, field, expected, actual }) => {
    const where = place.line === 0 ? place.file : `${place.file}:${place.line}`;
    return `${where}: ${field} is ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`;
  });
  return {
    pass: unmet.length === 0,
    message: () =>
      unmet.length === 0
        ? "expected some expectation of the timeline not to be met, but all are"
        : `expected what the timeline expects, but:${listed(lines)}${lab === undefined ? "" : ladderOf(lab)}`,
  };
}
