/**
 * Differential fuzzing: drawn scenarios are acted out by lvsim and by a real kernel; what differs is recorded again, to be sure, shrunk, and kept.
 *
 * The kernel runs in real time on a machine that has other things to do. An acting-out in which a step began late or ran into the next one is not
 * judged; a difference counts when a second acting-out shows it too.
 */

import { appendFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseScenario, type Scenario } from "../src/scenario/scenario-file.ts";
import { actOutHere } from "./acted-here.ts";
import { recordingDifferences } from "./differences.ts";
import { type DrawnScenario, drawnText, drawScenario } from "./fuzz-draw.ts";
import { writeRecording } from "./import.ts";
import { jobOf, secondsMaxOf } from "./job.ts";
import { recordingOfLab } from "./lab-folder.ts";
import { recordingPath, ROOT } from "./places.ts";
import type { Recording } from "./recording.ts";
import { UmlKernel } from "./uml.ts";

const ACTS_MAX = 4;
const LATE_SECONDS_MAX = 0.5;
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
  | { readonly kind: "differs"; readonly differences: readonly string[]; readonly recording: Recording }
  /** No two acting-outs in time, or none that agreed with another. */
  | { readonly kind: "unclear"; readonly why: string };

interface Acted {
  readonly recording: Recording;
  /** Why it is not to be judged; undefined: it is. */
  readonly doubt: string | undefined;
}

interface TimedResult {
  readonly late?: number;
  readonly timeline: readonly ({ readonly seconds?: number } | null)[];
}

async function actOnKernel(kernel: UmlKernel, scenario: Scenario): Promise<Acted> {
  const { folder, result } = await kernel.act(jobOf(scenario), secondsMaxOf(scenario));
  const recording = recordingOfLab(folder, scenario, true);
  rmSync(folder, { recursive: true, force: true });
  const { late = 0, timeline } = result as TimedResult;
  const starts = scenario.timeline.map(({ atNs }) => atNs / 1e9);
  const slow = timeline.findIndex((step, i) => (starts[i] ?? 0) + (step?.seconds ?? 0) > (starts[i + 1] ?? Number.POSITIVE_INFINITY) - 0.2);
  const doubt = late > LATE_SECONDS_MAX ? `a step began ${late} s late` : slow >= 0 ? `step ${slow} ran into the next` : undefined;
  return { recording, doubt };
}

const headOf = (difference: string): string => difference.split("\n")[0] ?? "";

/** Acts a scenario out until two judgements agree. `wanted`: heads of differences; others do not count. */
export async function judge(kernel: UmlKernel, text: string, name: string, wanted?: ReadonlySet<string>): Promise<Verdict> {
  const scenario = parseScenario(text, name);
  let before: readonly string[] = [];
  let why = "";
  for (let i = 0; i < ACTS_MAX; i++) {
    const { recording, doubt } = await actOnKernel(kernel, scenario);
    const here = actOutHere(scenario, recording.untilSeconds).recording;
    const all = recordingDifferences(scenario, recording, here, { edgeSeconds: EDGE_SECONDS });
    const differences = wanted === undefined ? all : all.filter((one) => wanted.has(headOf(one)));
    if (differences.length === 0) return { kind: "agrees" };
    if (doubt !== undefined) {
      why = doubt;
      continue;
    }
    const heads = new Set(before.map(headOf));
    if (differences.some((one) => heads.has(headOf(one)))) return { kind: "differs", differences, recording };
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
  const { drawn: small, recording } = await shrink(kernel, drawn, verdict, jobCount);
  const file = join(ROOT, "test/conformance", `fuzz-${drawn.seed}.yaml`);
  writeFileSync(file, drawnText(small));
  writeRecording(recordingPath(file) ?? "", recording);
  console.log(`kept test/conformance/fuzz-${drawn.seed}.yaml: ${small.hosts.length} hosts, ${small.steps.length} steps`);
}

/** Takes pieces away while what differed still does. */
async function shrink(kernel: UmlKernel, drawn: DrawnScenario, verdict: Extract<Verdict, { kind: "differs" }>, jobCount: number): Promise<{ readonly drawn: DrawnScenario; readonly recording: Recording }> {
  const wanted = new Set(verdict.differences.map(headOf));
  let best = drawn;
  let recording = verdict.recording;
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
      if (good?.verdict.kind === "differs") {
        best = good.candidate;
        recording = good.verdict.recording;
        isSmaller = true;
      }
    }
    if (!isSmaller) size = size === 1 ? 0 : Math.ceil(size / 2);
    else size = Math.min(size, Math.ceil(pieceCount(best) / 2));
  }
  return { drawn: best, recording };
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
