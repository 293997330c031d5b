/**
 * How much a connection asks for, as a time: what a server of speed 1 needs for it, or how long it stays open.
 */

import { exp, ln, power } from "../base/elementary.ts";
import type { RandomStream } from "../kernel/random.ts";
import { drawExponential, drawNormal, drawUniform } from "./draws.ts";

export type SizeSpec =
  | { readonly kind: "fixed" | "exponential"; readonly meanNs: number; readonly maxNs: number }
  /** P(size > x) = (least / x)^shape; `shape` is above 1, small ones have the heavier tail. */
  | { readonly kind: "pareto"; readonly meanNs: number; readonly maxNs: number; readonly shape: number }
  /** The logarithm is normal with standard deviation `sigma`. */
  | { readonly kind: "lognormal"; readonly meanNs: number; readonly maxNs: number; readonly sigma: number };

/** Draws one size in whole nanoseconds, at least 1, cut at `maxNs` (so that the mean of what is drawn lies below `meanNs` for heavy tails). */
export function drawSize(spec: SizeSpec, random: RandomStream): number {
  return Math.max(1, Math.min(Math.round(drawReal(spec, random)), spec.maxNs));
}

function drawReal(spec: SizeSpec, random: RandomStream): number {
  switch (spec.kind) {
    case "fixed":
      return spec.meanNs;
    case "exponential":
      return spec.meanNs * drawExponential(random);
    case "pareto":
      return ((spec.meanNs * (spec.shape - 1)) / spec.shape) * power(drawUniform(random), -1 / spec.shape);
    case "lognormal":
      return exp(ln(spec.meanNs) - (spec.sigma * spec.sigma) / 2 + spec.sigma * drawNormal(random));
  }
}
