/**
 * What is drawn has the distributions that it should have.
 */
import { describe, expect, test } from "vitest";
import { exp, ln, power } from "../../../src/base/elementary.ts";
import { RandomStream } from "../../../src/kernel/random.ts";
import { type ArrivalSpec, Arrivals, meanRate } from "../../../src/workload/arrivals.ts";
import { drawExponential, drawNormal, drawUniform } from "../../../src/workload/draws.ts";
import { Population } from "../../../src/workload/population.ts";
import { drawSize, type SizeSpec } from "../../../src/workload/sizes.ts";

const COUNT = 100_000;
const MS = 1e6;
const SECOND = 1e9;
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const many = (draw: (random: RandomStream) => number, seed = "test") => {
  const random = new RandomStream(seed);
  return Array.from({ length: COUNT }, () => draw(random));
};

describe("elementary functions", () => {
  test("ln, exp and power are those of mathematics to 2e-15", () => {
    for (const x of [2 ** -53, 1e-9, 0.1, 0.5, 0.99999, 1, 1.00001, Math.SQRT2, 2, 3, 10, 1e6, 1.5e300]) expect(Math.abs(ln(x) - Math.log(x))).toBeLessThanOrEqual(2e-15 * Math.max(1, Math.abs(Math.log(x))));
    for (const x of [-700, -50.5, -1, -1e-9, 0, 1e-9, 0.3, 1, 2.5, 100.25, 700]) expect(Math.abs(exp(x) / Math.exp(x) - 1)).toBeLessThan(2e-15);
    expect(power(9, 0.5)).toBeCloseTo(3, 12);
    expect(power(2, 10)).toBeCloseTo(1024, 9);
  });

  test("the very bits stay what they are", () => {
    expect([ln(3), exp(1), power(0.3, -0.625), ln(7e-12)]).toEqual([1.0986122886681098, 2.7182818284590455, 2.1222630647550385, -25.685110966873236]);
  });
});

describe("distributions", () => {
  test("uniform, exponential, normal: mean and variance", () => {
    for (const [draw, m, variance] of [
      [drawUniform, 0.5, 1 / 12],
      [drawExponential, 1, 1],
      [drawNormal, 0, 1],
    ] as const) {
      const values = many(draw);
      expect(Math.abs(mean(values) - m)).toBeLessThan(0.01);
      expect(Math.abs(mean(values.map((value) => (value - m) ** 2)) / variance - 1)).toBeLessThan(0.03);
    }
  });

  test.each<{ spec: SizeSpec; tail: number }>([
    // The part above three times the mean, from the formulas of the distributions.
    { spec: { kind: "fixed", meanNs: 20 * MS, maxNs: SECOND }, tail: 0 },
    { spec: { kind: "exponential", meanNs: 20 * MS, maxNs: 1000 * SECOND }, tail: Math.exp(-3) },
    { spec: { kind: "pareto", meanNs: 20 * MS, maxNs: 1000 * SECOND, shape: 2.5 }, tail: (0.6 / 3) ** 2.5 },
    { spec: { kind: "lognormal", meanNs: 20 * MS, maxNs: 1000 * SECOND, sigma: 1 }, tail: 0.0550 },
  ])("sizes $spec.kind: mean and tail", ({ spec, tail }) => {
    const values = many((random) => drawSize(spec, random));
    expect(values.every(Number.isSafeInteger)).toBe(true);
    expect(Math.abs(mean(values) / spec.meanNs - 1)).toBeLessThan(0.02);
    expect(Math.abs(values.filter((value) => value > 3 * spec.meanNs).length / COUNT - tail)).toBeLessThan(0.003);
  });

  test("no size is above the greatest", () => {
    const values = many((random) => drawSize({ kind: "pareto", meanNs: 20 * MS, maxNs: 50 * MS, shape: 1.2 }, random));
    expect(Math.max(...values)).toBe(50 * MS);
  });

  test.each<{ spec: ArrivalSpec; dispersion: readonly [number, number] }>([
    // Variance over mean of the number of arrivals in a second: 0 even, 1 Poisson, far above 1 in bursts.
    { spec: { kind: "even", rate: 100 }, dispersion: [0, 0.02] },
    { spec: { kind: "poisson", rate: 100 }, dispersion: [0.85, 1.15] },
    { spec: { kind: "bursty", rate: 20, peak: 1000, burstNs: 200 * MS, pauseNs: 2 * SECOND }, dispersion: [50, 1000] },
  ])("arrivals $spec.kind: rate and burstiness", ({ spec, dispersion }) => {
    const arrivals = new Arrivals(spec, new RandomStream("arrivals"));
    const seconds = 1000;
    const counts = new Array<number>(seconds).fill(0);
    let before = 0;
    for (let timeNs = arrivals.next(); timeNs < seconds * SECOND; timeNs = arrivals.next()) {
      expect(timeNs).toBeGreaterThanOrEqual(before);
      before = timeNs;
      counts[Math.floor(timeNs / SECOND)] = (counts[Math.floor(timeNs / SECOND)] as number) + 1;
    }
    const rate = mean(counts);
    expect(Math.abs(rate / meanRate(spec) - 1)).toBeLessThan(0.06);
    const variance = mean(counts.map((count) => (count - rate) ** 2));
    expect(variance / rate).toBeGreaterThanOrEqual(dispersion[0]);
    expect(variance / rate).toBeLessThan(dispersion[1]);
  });

  test("clients: all alike, or by Zipf's law", () => {
    const shares = (population: Population) => {
      const counts = new Map<number, number>();
      for (let i = 0; i < COUNT; i++) {
        const client = population.next();
        counts.set(client, (counts.get(client) ?? 0) + 1);
      }
      return [0, 1, 9].map((client) => (counts.get(client) ?? 0) / COUNT);
    };
    const harmonic = Array.from({ length: 10 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b);
    for (const [i, share] of shares(new Population({ kind: "uniform", count: 10 }, new RandomStream("p"))).entries()) expect(share, `client ${i}`).toBeCloseTo(0.1, 2);
    const zipf = shares(new Population({ kind: "zipf", count: 10, exponent: 1 }, new RandomStream("p")));
    for (const [i, client] of [1, 2, 10].entries()) expect(zipf[i]).toBeCloseTo(1 / client / harmonic, 2);
  });
});
