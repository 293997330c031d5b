/**
 * Random lives of a service for the conformance suite: servers come, go and are edited, connections open, close and expire, time passes.
 */
import { nameOf, type ServiceDriver } from "./service-driver.ts";

export type Step =
  | { readonly kind: "add" | "edit"; readonly name: string; readonly weight: number; readonly upper: number }
  | { readonly kind: "delete" | "close" | "expire"; readonly name: string }
  | { readonly kind: "open"; readonly client: number; readonly target: number }
  | { readonly kind: "wait"; readonly seconds: number }
  /** The service takes another scheduler and this one again. */
  | { readonly kind: "restart" };

export type Life = readonly Step[];

type Random = (n: number) => number;

const NAMES = "ABCDEFG";
const WEIGHTS = [0, 1, 1, 2, 3, 8, 100] as const;
const UPPERS = [0, 0, 0, 1, 3] as const;
const WAITS = [1, 100, 2000, 100_000] as const;

/** `count` lives of random lengths. */
export function livesOf(count: number, random: Random, make: (random: Random) => Life): Life[] {
  return Array.from({ length: count }, () => make(random));
}

export function randomLife(random: Random, stepsMax: number): Life {
  return Array.from({ length: 1 + random(stepsMax) }, () => randomStep(random));
}

/** Of 26 steps 12 open, 6 add or edit, 6 delete, close or expire, one waits, one restarts. */
function randomStep(random: Random): Step {
  const kind = random(26);
  if (kind < 12) return { kind: "open", client: random(31), target: random(11) };
  const name = NAMES[random(NAMES.length)] as string;
  if (kind < 18) {
    return { kind: kind < 15 ? "add" : "edit", name, weight: WEIGHTS[random(WEIGHTS.length)] as number, upper: UPPERS[random(UPPERS.length)] as number };
  }
  if (kind < 20) return { kind: "delete", name };
  if (kind < 22) return { kind: "close", name };
  if (kind < 24) return { kind: "expire", name };
  return kind === 24 ? { kind: "wait", seconds: WAITS[random(WAITS.length)] as number } : { kind: "restart" };
}

/** Plays a step that opens no connection. One that makes no sense at its time is passed over. */
export function playStep(driver: ServiceDriver, step: Exclude<Step, { kind: "open" }>): void {
  if (step.kind === "wait") {
    driver.nowNs += step.seconds * 1_000_000_000;
    return;
  }
  if (step.kind === "restart") {
    driver.restart();
    return;
  }
  const present = driver.dests.find((dest) => nameOf(dest) === step.name);
  if (step.kind === "add") {
    if (present === undefined) driver.add(step.name, step);
  } else if (present !== undefined) {
    if (step.kind === "edit") driver.edit(step.name, step);
    else if (step.kind === "delete") driver.delete(step.name);
    else if (step.kind === "close" && present.activeConns > 0) driver.close(step.name);
    else if (step.kind === "expire" && present.inactConns > 0) driver.expire(step.name);
  }
}

/** Leaves out steps, many at once first and single ones last, until none can be spared: the life still fails. */
export function shortenLife(life: Life, fails: (life: Life) => boolean): Life {
  let short = life;
  for (let size = Math.max(1, short.length >> 1); ; ) {
    const before = short.length;
    for (let at = 0; at < short.length; ) {
      const shorter = [...short.slice(0, at), ...short.slice(at + size)];
      if (shorter.length > 0 && fails(shorter)) short = shorter;
      else at += size;
    }
    if (size === 1 && short.length === before) return short;
    size = Math.max(1, size >> 1);
  }
}

/** `add A weight 0, open from 3`: the steps as words. */
export function lifeText(life: Life): string {
  return life.map(stepText).join(", ");
}

function stepText(step: Step): string {
  switch (step.kind) {
    case "add":
    case "edit":
      return `${step.kind} ${step.name} weight ${step.weight}${step.upper === 0 ? "" : ` upper ${step.upper}`}`;
    case "open":
      return `open from 10.1.0.${step.client} to 10.9.0.${step.target}`;
    case "wait":
      return `wait ${step.seconds} s`;
    case "restart":
      return "restart";
    default:
      return `${step.kind} ${step.name}`;
  }
}
