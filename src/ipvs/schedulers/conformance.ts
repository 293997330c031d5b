/**
 * The conformance suite of schedulers: what every one of them owes its director, whatever its choice. Pure and deterministic: random lives of
 * a service come from a fixed seed, and one that goes wrong is made as short as possible before it is told.
 */
import { type Life, lifeText, livesOf, playStep, randomLife, shortenLife, type Step } from "./conformance-lives.ts";
import { formatDest } from "./format-dest.ts";
import { SCHEDULERS } from "./registry.ts";
import { isEligible, type Scheduler, type SchedulerDest, type SchedulerPacket, schedulerContext, schedulerDest, seededRandom } from "./scheduler.ts";
import { defineScheduler, type SchedulerDefinition } from "./scheduler-class.ts";
import { nameOf, ServiceDriver } from "./service-driver.ts";

/** What some schedulers of the kernel do, and the suite then allows. */
export interface ConformanceExceptions {
  /** It may choose nothing although some server could take the connection: dh, sh and mh without fallback, ovf when all are full. */
  readonly mayRefuse?: boolean;
  /** It may choose an overloaded server that it remembers: lblc. */
  readonly remembersOverloaded?: boolean;
  /** It holds deleted servers in a cache until they expire (and never chooses them): lblc, lblcr. */
  readonly remembersDeleted?: boolean;
}

export interface ConformanceOptions extends ConformanceExceptions {
  /** The words of `ipvsadm -b` that the service has. */
  readonly flags?: readonly string[];
  /** Random lives to live through; 200 when absent. */
  readonly lives?: number;
  /** Another seed gives other lives. */
  readonly seed?: number;
}

/** The outcome of one check. */
export interface ConformanceCheck {
  /** What a conforming scheduler does, as a sentence. */
  readonly name: string;
  readonly passed: boolean;
  /** Why it failed, with the shortest life that shows it; empty when it passed. */
  readonly reason: string;
}

const LIVES = 200;
const STEPS_MAX = 120;
const CROWD = 26;
const WEIGHT_MAX = 2_147_483_647;

/** The exceptions of the kernel's schedulers. Those of a user have none unless they are asked for. */
const KERNEL_EXCEPTIONS: Readonly<Record<string, ConformanceExceptions>> = {
  dh: { mayRefuse: true },
  sh: { mayRefuse: true },
  mh: { mayRefuse: true },
  ovf: { mayRefuse: true },
  lblc: { remembersOverloaded: true, remembersDeleted: true },
  lblcr: { remembersDeleted: true },
};

/** Thrown by a check that finds something wrong. */
class Failure extends Error {}

function demand(condition: boolean, reason: string | (() => string)): asserts condition {
  if (!condition) throw new Failure(typeof reason === "string" ? reason : reason());
}

interface Subject {
  readonly scheduler: Scheduler;
  readonly options: ConformanceOptions;
  begin(): ServiceDriver;
}

/**
 * Puts a scheduler through the suite; one entry a check, in a fixed order. Throws a SchedulerDefinitionError when `definition` is no scheduler
 * at all.
 *
 * @example
 * const failed = schedulerConformance(Mine).filter((check) => !check.passed);
 * for (const { name, reason } of failed) console.log(`${name}: ${reason}`);
 */
export function schedulerConformance(definition: SchedulerDefinition, options: ConformanceOptions = {}): readonly ConformanceCheck[] {
  const isKernels = SCHEDULERS.includes(definition as Scheduler);
  const scheduler = isKernels ? (definition as Scheduler) : defineScheduler(definition);
  const all = { ...(isKernels ? KERNEL_EXCEPTIONS[scheduler.name] : {}), ...options };
  const subject: Subject = { scheduler, options: all, begin: () => new ServiceDriver(scheduler, { flags: all.flags ?? [] }) };
  return CHECKS.map(([name, check]) => ({ name, ...outcomeOf(() => check(subject)) }));
}

function outcomeOf(check: () => void): { readonly passed: boolean; readonly reason: string } {
  try {
    check();
    return { passed: true, reason: "" };
  } catch (error) {
    if (error instanceof Failure) return { passed: false, reason: error.message };
    return { passed: false, reason: `threw ${error instanceof Error ? `${error.name}: ${error.message}` : String(error)}` };
  }
}

const CHECKS: readonly (readonly [name: string, check: (subject: Subject) => void])[] = [
  ["has a name and flags that ipvsadm can spell", checkWords],
  ["needs no context but the default one", checkDefaultContext],
  ["without servers, chooses nothing and says why", checkEmpty],
  ["with one server, chooses that very object", checkOne],
  ["never chooses a server of weight 0", (subject) => checkOnly(subject, "quiescent", (driver) => driver.add("A", { weight: 0 }), (driver) => driver.add("A").edit("A", { weight: 0 }))],
  [
    "never chooses an overloaded server",
    (subject) =>
      checkOnly(subject, "overloaded", (driver) => {
        driver.add("A").dest("A").overloaded = true;
      }),
  ],
  ["never chooses a deleted server", (subject) => checkOnly(subject, "deleted", (driver) => driver.add("A").delete("A"), (driver) => driver.add("A").schedule() && driver.delete("A"))],
  ["takes a server again that comes back", checkReturn],
  ["starts for a service that has servers already", checkRestart],
  ["works for two services side by side", checkTwoServices],
  ["survives many servers and the greatest weights", checkCrowd],
  ["in any life, chooses only servers of the service that may take a connection", checkLives],
  ["chooses nothing only when no server can take the connection, and says why once", checkRefusals],
  ["leaves the servers, their figures and their order alone", checkUntouched],
  ["chooses the same in the same life, also when asked to explain", checkDeterminism],
  ["holds no deleted server, as far as its fields show", checkHeld],
  ["ends with done(), also without servers, and can start again", checkDone],
];

function checkWords({ scheduler }: Subject): void {
  const wrong = [scheduler.name, ...scheduler.flags].filter((word) => !/^[a-z0-9][a-z0-9_-]*$/.test(word));
  demand(wrong.length === 0, () => `not a word: ${wrong.map((word) => JSON.stringify(word)).join(", ")}`);
}

function checkDefaultContext({ scheduler, options }: Subject): void {
  const dests: SchedulerDest[] = [schedulerDest({ address: 0x0a020001, port: 80 })];
  const choice = scheduler.init({ dests, flags: options.flags ?? [] }, schedulerContext()).schedule(packetOf(0, 0));
  demand(choice === dests[0] || options.mayRefuse === true, `with one server and the default context chose ${shown(choice)}`);
}

function checkEmpty({ begin }: Subject): void {
  const driver = begin();
  const choice = driver.schedule();
  demand(choice === undefined, () => `chose ${shown(choice)}`);
  demand(driver.reasons.length === 1, `called nothingChosen ${driver.reasons.length} times, not once`);
}

function checkOne({ begin }: Subject): void {
  const driver = begin().add("A");
  const choice = driver.schedule();
  demand(choice === driver.dest("A"), () => (choice === undefined ? "chose nothing" : "chose another object than the one in `service.dests`"));
  demand(driver.reasons.length === 0, "called nothingChosen although it chose a server");
}

/** The only server there is cannot take a connection. */
function checkOnly({ begin }: Subject, state: string, ...preparations: readonly ((driver: ServiceDriver) => unknown)[]): void {
  for (const prepare of preparations) {
    const driver = begin();
    prepare(driver);
    const choice = driver.schedule();
    demand(choice === undefined, () => `chose ${shown(choice)}, which is ${state}`);
  }
}

function checkReturn({ begin }: Subject): void {
  demand(begin().add("A").delete("A").add("A").open() === "A", "after `delete A` and `add A` chose nothing");
  demand(begin().add("A").edit("A", { weight: 0 }).edit("A", { weight: 2 }).open() === "A", "after `edit A weight 0` and `edit A weight 2` chose nothing");
  const chosen = begin().add("A");
  chosen.open();
  demand(chosen.delete("A").add("A").open() === "A", "after `open`, `delete A` and `add A` chose nothing");
}

function checkRestart({ begin }: Subject): void {
  const choice = begin().add("A").add("B").add("C").restart().open();
  demand("ABC".includes(choice), "with three servers in the service at init() chose nothing: are they known only from destAdded?");
}

function checkTwoServices({ begin }: Subject): void {
  const fill = (driver: ServiceDriver) => driver.add("A").add("B").add("C", { weight: 3 });
  const expected = fill(begin()).openMany(20);
  const pair = [fill(begin()), fill(begin())] as const;
  const picks: [string, string] = ["", ""];
  for (let i = 0; i < 20; i++) for (const side of [0, 1] as const) picks[side] += pair[side].open();
  for (const side of picks) demand(side === expected, `alone it chose ${expected}, beside another service ${side}: is state shared between services?`);
}

function checkCrowd({ begin, options }: Subject): void {
  const driver = begin();
  const names = Array.from({ length: CROWD }, (_, i) => String.fromCharCode(65 + i));
  for (const [i, name] of names.entries()) driver.add(name, { weight: i % 3 === 0 ? WEIGHT_MAX - i : i });
  for (let i = 0; i < 200; i++) {
    const choice = driver.schedule(packetOf(i, i % 7));
    demand(choice === undefined ? options.mayRefuse === true : isEligible(choice) && driver.dests.includes(choice), () => `with ${CROWD} servers, weights up to ${WEIGHT_MAX}, chose ${shown(choice)}`);
  }
}

function checkLives(subject: Subject): void {
  eachLife(subject, (life) => {
    const driver = subject.begin();
    for (const [i, step] of life.entries()) {
      const choice = playOpen(driver, step);
      if (choice === undefined || choice === "no open") continue;
      const where = () => `at step ${i + 1} chose ${shown(choice)}`;
      demand(typeof choice === "object" && driver.dests.includes(choice), () => `${where()}, which is not in the service`);
      demand(choice.weight > 0, () => `${where()}, whose weight is 0`);
      demand(!choice.overloaded || subject.options.remembersOverloaded === true, () => `${where()}, which is overloaded`);
      driver.bind(choice);
    }
  });
}

function checkRefusals(subject: Subject): void {
  eachLife(subject, (life) => {
    const driver = subject.begin();
    for (const [i, step] of life.entries()) {
      const told = driver.reasons.length;
      const able = driver.dests.filter(isEligible);
      const choice = playOpen(driver, step);
      if (choice === "no open") continue;
      const calls = driver.reasons.length - told;
      demand(calls === (choice === undefined ? 1 : 0), () => `at step ${i + 1} chose ${shown(choice)} and called nothingChosen ${calls} times`);
      demand(choice !== undefined || able.length === 0 || subject.options.mayRefuse === true, () => `at step ${i + 1} chose nothing although ${able.map(nameOf).join(" and ")} can take the connection`);
      if (choice !== undefined) driver.bind(choice);
    }
  });
}

function checkUntouched(subject: Subject): void {
  const picture = (driver: ServiceDriver) => driver.dests.map((dest) => JSON.stringify(dest)).join("\n");
  eachLife(subject, (life) => {
    const driver = subject.begin();
    for (const [i, step] of life.entries()) {
      if (step.kind !== "open") {
        playStep(driver, step);
        continue;
      }
      const before = picture(driver);
      const choice = driver.schedule(packetOf(step.client, step.target));
      demand(picture(driver) === before, `schedule() at step ${i + 1} changed a server or the list; weights, counters and flags are the director's`);
      if (choice !== undefined) driver.bind(choice);
    }
  });
}

function checkDeterminism(subject: Subject): void {
  eachLife(subject, (life) => {
    const [plain, again, explained] = [false, false, true].map((explains) => picksOf(subject.begin(), life, explains)) as [string, string, string];
    demand(plain === again, `chose ${plain} the first time and ${again} the second: use context.randomBelow and context.nowNs, not chance and clocks of its own`);
    demand(plain === explained, `chose ${plain}, and ${explained} when explain() was called before each choice`);
  });
}

function checkHeld(subject: Subject): void {
  if (subject.options.remembersDeleted === true) return;
  eachLife(subject, (life) => {
    const driver = subject.begin();
    for (const step of life) if (step.kind === "open") driver.open(packetOf(step.client, step.target));
      else playStep(driver, step);
    const held = reachable(driver.state, (value) => driver.removed.includes(value as SchedulerDest));
    demand(held === undefined, () => `holds ${shown(held)} although it was deleted: forget it in destDeleted (del_dest)`);
  });
}

function checkDone({ begin }: Subject): void {
  begin().restart();
  const driver = begin().add("A").add("B");
  driver.openMany(3);
  const choice = driver.restart().restart().open();
  demand("AB".includes(choice), "after done() and init() with two servers chose nothing");
}

/* ------------------------------------------------------------------------------------------------------------- helpers */

/** Lives the same lives for every check; a failure is told with the shortest life that still fails. */
function eachLife({ options }: Subject, live: (life: Life) => void): void {
  for (const life of livesOf(options.lives ?? LIVES, seededRandom(options.seed), (random) => randomLife(random, STEPS_MAX))) {
    if (outcomeOf(() => live(life)).passed) continue;
    const short = shortenLife(life, (shorter) => !outcomeOf(() => live(shorter)).passed);
    throw new Failure(`${outcomeOf(() => live(short)).reason}; shown by: ${lifeText(short)}`);
  }
}

/** The choice for a step that opens, without a connection; other steps are played. */
function playOpen(driver: ServiceDriver, step: Step): SchedulerDest | undefined | "no open" {
  if (step.kind === "open") return driver.schedule(packetOf(step.client, step.target));
  playStep(driver, step);
  return "no open";
}

function picksOf(driver: ServiceDriver, life: Life, explains: boolean): string {
  let picks = "";
  for (const step of life) {
    if (step.kind !== "open") {
      playStep(driver, step);
      continue;
    }
    const packet = packetOf(step.client, step.target);
    if (explains) driver.state.explain?.(packet);
    picks += driver.open(packet);
  }
  return picks;
}

function packetOf(client: number, target: number): SchedulerPacket {
  return { sourceAddress: 0x0a010000 + client, sourcePort: 4000 + client, destinationAddress: 0x0a090000 + target, destinationPort: 80, protocol: 6 };
}

/** The first value that is wanted among those that the fields of `root` lead to; what closures and #fields hold cannot be seen. */
function reachable(root: unknown, isWanted: (value: object) => boolean): object | undefined {
  const seen = new Set<object>();
  const waiting: unknown[] = [root];
  while (waiting.length > 0) {
    const value = waiting.pop();
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) continue;
    seen.add(value);
    if (isWanted(value)) return value;
    if (value instanceof Map) waiting.push(...value.keys(), ...value.values());
    else if (value instanceof Set) waiting.push(...value);
    waiting.push(...Object.values(value));
  }
  return undefined;
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value !== "object" || !("address" in value)) return String(value);
  const dest = value as SchedulerDest;
  return dest.address >>> 16 === 0x0a09 ? nameOf(dest) : formatDest(dest);
}
