/**
 * Differential fuzzing: drawn scenarios are acted out by lvsim and by a real kernel; what differs is recorded again, to be sure, shrunk, and kept.
 *
 * The kernel runs in real time on a machine that has other things to do: its steps wait for each other, and lvsim is given the times at which they
 * began. A difference counts when a second acting-out shows it too.
 */

import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseScenario, type Scenario } from "../src/scenario/scenario-file.ts";
import { actOutHere } from "./acted-here.ts";
import { recordingDifferences } from "./differences.ts";
import { type DrawnScenario, drawnText, drawScenario } from "./fuzz-draw.ts";
import { placeFor, writeRecording } from "./import.ts";
import { jobOf, secondsMaxOf } from "./job.ts";
import { recordingOfLab } from "./lab-folder.ts";
import { loadScenario, ROOT } from "./places.ts";
import { recordOn } from "./record.ts";
import type { Recording } from "./recording.ts";
import { UmlKernel } from "./uml.ts";

const ACTS_MAX = 3;
/** Of quiet between two steps. */
const PAUSE_SECONDS = 1.5;
/** Frames so near to the end may be missing from one of the two. */
const EDGE_SECONDS = 1.5;
const SHRINK_ROUNDS_MAX = 30;
const LOG = join(ROOT, ".tmp/fuzz/log.jsonl");

export interface FuzzOptions {
  readonly first: number;
  readonly last: number;
  /** Scenarios at a time. */
  readonly jobCount: number;
  readonly shrinks: boolean;
}

export type Verdict =
  | { readonly kind: "agrees" }
  | { readonly kind: "differs"; readonly differences: readonly string[] }
  /** No acting-out agreed with another, or the kernel's side failed. */
  | { readonly kind: "unclear"; readonly why: string };

interface Acted {
  readonly recording: Recording;
  /** With the times at which the steps really began. */
  readonly scenario: Scenario;
}

/** Lets each step wait for the one before, so that a busy machine does no harm; lvsim then acts at the same times. */
async function actOnKernel(kernel: UmlKernel, drawn: Scenario): Promise<Acted> {
  const { folder, result } = await kernel.act({ ...jobOf(drawn), pauseSeconds: PAUSE_SECONDS }, secondsMaxOf(drawn));
  const { began } = result as { readonly began: readonly number[] };
  const scenario = { ...drawn, timeline: drawn.timeline.map((step, i) => ({ ...step, atNs: Math.round((began[i] ?? 0) * 1e9) })) };
  const recording = recordingOfLab(folder, scenario, true);
  rmSync(folder, { recursive: true, force: true });
  return { recording, scenario };
}

/** What differs, without the moment at which a step happened to begin. */
const headOf = (difference: string): string => (difference.split("\n")[0] ?? "").replace(/^at [\d.]+ s /, "");

/** Acts a scenario out until two judgements agree. `wanted`: heads of differences; others do not count. */
export async function judge(kernel: UmlKernel, text: string, name: string, wanted?: ReadonlySet<string>): Promise<Verdict> {
  const drawn = parseScenario(text, name);
  let before: readonly string[] = [];
  let why = "";
  for (let i = 0; i < ACTS_MAX; i++) {
    const { recording, scenario } = await actOnKernel(kernel, drawn);
    const here = actOutHere(scenario, recording.untilSeconds).recording;
    const all = recordingDifferences(scenario, recording, here, { edgeSeconds: EDGE_SECONDS });
    const differences = wanted === undefined ? all : all.filter((one) => wanted.has(headOf(one)));
    if (differences.length === 0) return { kind: "agrees" };
    const heads = new Set(before.map(headOf));
    if (differences.some((one) => heads.has(headOf(one)))) return { kind: "differs", differences };
    before = differences;
    why = `differences of one acting-out only: ${differences.map(headOf).slice(0, 3).join("; ")}`;
  }
  return { kind: "unclear", why };
}

export async function fuzz({ first, last, jobCount, shrinks }: FuzzOptions): Promise<void> {
  mkdirSync(dirname(LOG), { recursive: true });
  const kernel = await UmlKernel.boot();
  const counts = { agrees: 0, differs: 0, unclear: 0 };
  const startMs = Date.now();
  const found: { readonly drawn: DrawnScenario; readonly verdict: Extract<Verdict, { kind: "differs" }> }[] = [];
  let next = first;
  const worker = async () => {
    while (next <= last) {
      const seed = next++;
      const drawn = drawScenario(seed);
      const verdict = await judge(kernel, drawnText(drawn), `seed-${seed}.yaml`).catch((error: unknown): Verdict => ({ kind: "unclear", why: String(error) }));
      counts[verdict.kind]++;
      const detail = verdict.kind === "differs" ? verdict.differences : verdict.kind === "unclear" ? [verdict.why] : [];
      appendFileSync(LOG, `${JSON.stringify({ seed, verdict: verdict.kind, detail })}\n`);
      if (verdict.kind !== "agrees") console.log(`${drawn.title}: ${verdict.kind}\n  ${detail.join("\n").replaceAll("\n", "\n  ")}`);
      if (verdict.kind === "differs") found.push({ drawn, verdict });
    }
  };
  try {
    await Promise.all(Array.from({ length: jobCount }, worker));
    const count = last - first + 1;
    console.log(`${count} draws: ${counts.agrees} agree, ${counts.differs} differ, ${counts.unclear} unclear; ${((Date.now() - startMs) / 1000 / count).toFixed(1)} s a draw`);
    if (shrinks) for (const { drawn, verdict } of found) await keep(kernel, drawn, verdict, jobCount);
  } finally {
    await kernel.stop();
  }
}

/** Shrinks a scenario that differs and keeps it beside the others, with its recording. */
async function keep(kernel: UmlKernel, drawn: DrawnScenario, verdict: Extract<Verdict, { kind: "differs" }>, jobCount: number): Promise<void> {
  const small = await shrink(kernel, drawn, verdict, jobCount);
  const file = join(ROOT, "test/conformance", `fuzz-${drawn.seed}.yaml`);
  writeFileSync(file, drawnText(small));
  writeRecording(placeFor(file), await recordOn(kernel, loadScenario(file)));
  console.log(`kept test/conformance/fuzz-${drawn.seed}.yaml: ${small.hosts.length} hosts, ${small.steps.length} steps`);
}

/** Takes pieces away while what differed still does. */
async function shrink(kernel: UmlKernel, drawn: DrawnScenario, verdict: Extract<Verdict, { kind: "differs" }>, jobCount: number): Promise<DrawnScenario> {
  const wanted = new Set(verdict.differences.map(headOf));
  let best = drawn;
  let size = Math.ceil(pieceCount(best) / 2);
  for (let round = 0; round < SHRINK_ROUNDS_MAX && size >= 1; round++) {
    const starts = Array.from({ length: Math.ceil(pieceCount(best) / size) }, (_, i) => i * size);
    let isSmaller = false;
    for (let i = 0; i < starts.length && !isSmaller; i += jobCount) {
      const tried = await Promise.all(
        starts.slice(i, i + jobCount).map(async (start) => {
          const candidate = without(best, start, size);
          return { candidate, verdict: await judge(kernel, drawnText(candidate), "shrunk.yaml", wanted).catch((): Verdict => ({ kind: "agrees" })) };
        }),
      );
      const good = tried.find((one) => one.verdict.kind === "differs");
      if (good !== undefined) {
        best = good.candidate;
        isSmaller = true;
      }
    }
    if (!isSmaller) size = size === 1 ? 0 : Math.ceil(size / 2);
    else size = Math.min(size, Math.ceil(pieceCount(best) / 2));
  }
  return best;
}

function pieceCount({ hosts, steps }: DrawnScenario): number {
  return steps.length + hosts.reduce((sum, { lines }) => sum + lines.length, 0);
}

/** Without `count` pieces from `start` on: steps first, then lines host by host. A host that has nothing left to do stays, since others may need it. */
function without(drawn: DrawnScenario, start: number, count: number): DrawnScenario {
  let index = 0;
  const isKept = () => {
    const here = index++;
    return here < start || here >= start + count;
  };
  const steps = drawn.steps.filter(isKept);
  return { ...drawn, steps, hosts: drawn.hosts.map((host) => ({ ...host, lines: host.lines.filter(isKept) })) };
}
