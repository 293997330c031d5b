import { expect, test } from "vitest";
import { NS_PER_MS } from "../../../src/base/time.ts";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { RandomStream } from "../../../src/kernel/random.ts";
import { delayTable } from "../../../src/link/delay-tables.ts";
import { Netem, NETEM_NOTHING, type NetemOptions, netemProbability } from "../../../src/link/netem.ts";
import { applyNetem, netemText, parseNetem, TcExit } from "../../../src/shell/commands/tc/netem-options.ts";

interface Passed {
  readonly id: number;
  readonly timeMs: number;
}

/** Sends packets 0, 1, 2, ... of 1000 bytes, one every `gapMs`, and says what came out when. */
function pass(options: Partial<NetemOptions>, count: number, gapMs = 1, seed = "1"): { readonly out: readonly Passed[]; readonly lost: readonly number[]; readonly netem: Netem<number> } {
  const loop = new SimulationLoop();
  const out: Passed[] = [];
  const lost: number[] = [];
  const netem = new Netem<number>({
    loop,
    random: new RandomStream(seed),
    netem: { ...NETEM_NOTHING, ...options },
    owner: {
      send: (id) => out.push({ id, timeMs: loop.nowNs / NS_PER_MS }),
      dropped: (id) => lost.push(id),
      copy: (id) => id,
      corrupt: (id) => -id,
      lengthBytes: () => 1000,
      mark: () => undefined,
    },
  });
  for (let id = 0; id < count; id++) loop.at(id * gapMs * NS_PER_MS, { onEvent: () => netem.enqueue(id) });
  loop.runUntil(3_600_000 * NS_PER_MS);
  return { out, lost, netem };
}

const ids = ({ out }: { readonly out: readonly Passed[] }) => out.map(({ id }) => id);

test("without anything to do packets go through at once", () => {
  const { out, netem } = pass({}, 5);
  expect(out).toEqual([0, 1, 2, 3, 4].map((id) => ({ id, timeMs: id })));
  expect([netem.counters.sentPackets, netem.counters.sentBytes, netem.backlogPackets]).toEqual([5, 5000, 0]);
});

test("a delay moves every packet by as much", () => {
  expect(pass({ latencyNs: 50 * NS_PER_MS }, 3).out).toEqual([0, 1, 2].map((id) => ({ id, timeMs: id + 50 })));
});

test.each([
  { model: "random", options: { loss: netemProbability(0.1) }, lost: 0.1 },
  { model: "random, correlated", options: { loss: netemProbability(0.1), lossCorrelation: netemProbability(0.25) }, lost: 0.017 },
  { model: "state", options: { lossModel: { model: "state", p13: netemProbability(0.05), p31: netemProbability(0.45), p32: 0, p23: netemProbability(1), p14: 0 } }, lost: 0.1 },
  { model: "gemodel", options: { lossModel: { model: "gemodel", p: netemProbability(0.1), r: netemProbability(0.4), h: netemProbability(0.5), k1: 0 } }, lost: 0.1 },
] as const)("loss by the model $model loses about $lost", ({ options, lost }) => {
  const run = pass(options, 20_000);
  expect(run.lost.length / 20_000).toBeGreaterThan(lost - 0.01);
  expect(run.lost.length / 20_000).toBeLessThan(lost + 0.01);
  expect(run.out.length + run.lost.length).toBe(20_000);
  expect(run.netem.counters.dropped).toBe(run.lost.length);
});

test("bursts: losses of the state model follow each other", () => {
  const { lost } = pass({ lossModel: { model: "state", p13: netemProbability(0.01), p31: netemProbability(0.2), p32: 0, p23: netemProbability(1), p14: 0 } }, 20_000);
  const followed = lost.filter((id, i) => lost[i + 1] === id + 1).length;
  expect(followed / lost.length).toBeGreaterThan(0.7);
});

test.each([
  { shape: "uniform" as const, least: 90, most: 110, deviation: 5.77 },
  { shape: "normal" as const, least: 60, most: 140, deviation: 10 },
  { shape: "pareto" as const, least: 90, most: 150, deviation: 8.1 },
])("$shape delays have their mean and width", ({ shape, least, most, deviation }) => {
  const delays = pass({ latencyNs: 100 * NS_PER_MS, jitterNs: 10 * NS_PER_MS, shape, limit: 100_000 }, 10_000).out.map(({ id, timeMs }) => timeMs - id);
  const mean = delays.reduce((sum, one) => sum + one, 0) / delays.length;
  const spread = Math.sqrt(delays.reduce((sum, one) => sum + (one - mean) ** 2, 0) / delays.length);
  expect(Math.abs(mean - 100)).toBeLessThan(1);
  expect(Math.abs(spread - deviation)).toBeLessThan(1);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(least);
  expect(Math.max(...delays)).toBeLessThanOrEqual(most);
});

test("the tables are those that tc loads", () => {
  expect(delayTable("normal")?.slice(0, 5)).toEqual([-32768, -28307, -26871, -25967, -25298]);
  expect(delayTable("normal")?.slice(-2)).toEqual([27159, 28858]);
  expect(delayTable("pareto")?.slice(0, 2)).toEqual([-5461, -5460]);
  expect(delayTable("paretonormal")?.slice(0, 3)).toEqual([-12305, -11171, -10812]);
  for (const shape of ["normal", "pareto", "paretonormal"] as const) expect(delayTable(shape)?.length).toBe(4096);
});

test("jitter reorders, an even delay does not", () => {
  const isSorted = (list: readonly number[]) => list.every((id, i) => i === 0 || id > (list[i - 1] as number));
  expect(isSorted(ids(pass({ latencyNs: 20 * NS_PER_MS, jitterNs: 10 * NS_PER_MS }, 200)))).toBe(false);
  expect(isSorted(ids(pass({ latencyNs: 20 * NS_PER_MS }, 200)))).toBe(true);
});

test("reorder with a gap sends every third packet at once", () => {
  expect(ids(pass({ latencyNs: 100 * NS_PER_MS, reorder: netemProbability(1), gap: 3 }, 7))).toEqual([2, 5, 0, 1, 3, 4, 6]);
});

test("duplicates follow each other and count", () => {
  const { out, netem } = pass({ duplicate: netemProbability(1) }, 3);
  expect(out.map(({ id }) => id)).toEqual([0, 0, 1, 1, 2, 2]);
  expect(netem.counters.sentPackets).toBe(6);
});

test("a rate spaces packets, and its cells cost", () => {
  const rate = { bytesPerSecond: 10_000, packetOverhead: 0, cellSize: 0, cellOverhead: 0 };
  expect(pass({ rate }, 3).out.map(({ timeMs }) => timeMs)).toEqual([100, 200, 300]);
  expect(pass({ rate: { ...rate, cellSize: 600, cellOverhead: 100 } }, 2).out.map(({ timeMs }) => timeMs)).toEqual([140, 280]);
});

test("more than the limit is dropped", () => {
  const { out, lost } = pass({ latencyNs: 1000 * NS_PER_MS, limit: 3 }, 5);
  expect([out.map(({ id }) => id), lost]).toEqual([[0, 1, 2], [3, 4]]);
});

test("damage reaches the share that it should", () => {
  const damaged = pass({ corrupt: netemProbability(0.3) }, 10_000).out.filter(({ id }) => id < 0).length;
  expect(Math.abs(damaged / 10_000 - 0.3)).toBeLessThan(0.02);
});

test("reset forgets what waits, drain lets it out", () => {
  const loop = new SimulationLoop();
  const out: number[] = [];
  const owner = { send: (id: number) => out.push(id), dropped: () => {}, copy: (id: number) => id, corrupt: (id: number) => id, lengthBytes: () => 1, mark: () => undefined };
  const netem = new Netem<number>({ loop, random: new RandomStream("1"), owner, netem: { ...NETEM_NOTHING, latencyNs: NS_PER_MS } });
  netem.enqueue(1);
  netem.reset();
  netem.enqueue(2);
  netem.drain();
  loop.runUntil(NS_PER_MS * 10);
  expect([out, netem.backlogBytes, loop.pendingCount]).toEqual([[2], 0, 0]);
});

test.each(["delay 50ms loss 10%", "delay 100ms 10ms 25% distribution normal", "duplicate 1% reorder 25% 50% gap 5 delay 10ms", "corrupt 0.1% limit 200 rate 1mbit", "loss gemodel 1% 10% 70% 0.1%"])(
  "what tc shows of `%s` reads as the same",
  (words) => {
    const options = applyNetem(parseNetem(words.split(" ")));
    const shown = netemText(options)
      .replace("gemodel p", "gemodel")
      .replace(/ (r|1-h|1-k) /g, " ")
      .split(/\s+/)
      .filter((word) => word !== "");
    expect(applyNetem(parseNetem(shown.map((word) => word.replace(/^(\d+)([KMG])bit$/, "$1$2bit"))))).toEqual({ ...options, shape: "uniform" });
  },
);

test.each([
  { words: "los 5%", message: 'What is "los"?' },
  { words: "loss", message: 'Command line is not complete. Try option "help"' },
  { words: "loss x%", message: "Unknown loss parameter: x%" },
  { words: "reorder 5%", message: "reordering not possible without specifying some delay" },
  { words: "delay 1x", message: 'Illegal "latency"' },
  { words: "slot 1ms", message: "tc: netem slot is not supported by this simulator" },
])("`$words`: $message", ({ words, message }) => {
  let said = "";
  try {
    parseNetem(words.split(" "));
  } catch (error) {
    if (error instanceof TcExit) [said = ""] = error.text.split("\n");
  }
  expect(said).toBe(message);
});
