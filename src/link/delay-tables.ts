/**
 * The shapes of netem's delays: 4096 multiples of the jitter, in units of 1/8192, for a uniform index to choose from.
 *
 * iproute2 6.1 netem/normal.c, pareto.c, paretonormal.c, which make the tables that tc(8) loads into the kernel. They are computed here
 * with +, * and / alone, which every engine rounds alike, and are those files number by number.
 */

export const DELAY_SCALE = 8192;

/** `uniform` needs no table. */
export type DelayShape = "uniform" | "normal" | "pareto" | "paretonormal";

const TABLE_STEPS = 16_384;
/** Every fourth step is kept. */
const TABLE_STRIDE = 4;
const SHORT_MAX = 32_767;
const SHORT_MIN = -32_768;
const GRID = 0.00005;
const GRID_POINTS = 200_000;
/** The normal density at 0. */
const DENSITY_AT_0 = 0.3989422804014327;
const PARETO_RANGE = 65_536;
const PARETO_STRIDE = 16;
const NEWTON_STEPS = 60;

const tables = new Map<DelayShape, readonly number[]>();

/** The table of a shape, made when it is first asked for; undefined for `uniform`. */
export function delayTable(shape: DelayShape): readonly number[] | undefined {
  if (shape === "uniform") return undefined;
  let table = tables.get(shape);
  if (table === undefined) {
    table = shape === "normal" ? normalTable().map(toShort) : shape === "pareto" ? paretoTable() : paretoNormalTable();
    tables.set(shape, table);
  }
  return table;
}

function toShort(value: number): number {
  return Math.max(SHORT_MIN, Math.min(SHORT_MAX, value));
}

/** The inverse of the normal distribution, read off a fine grid of it. The distribution is integrated upwards from 0: phi' = -x phi. */
function normalTable(): number[] {
  const upper = new Float64Array(GRID_POINTS + 1001);
  let density = DENSITY_AT_0;
  let sum = 0.5;
  upper[0] = sum;
  for (let i = 0; i < upper.length - 1; i++) {
    const x = i * GRID;
    const k1 = -x * density;
    const k2 = -(x + GRID / 2) * (density + (GRID / 2) * k1);
    const k3 = -(x + GRID / 2) * (density + (GRID / 2) * k2);
    const k4 = -(x + GRID) * (density + GRID * k3);
    const middle = density + ((GRID / 2) * (k1 + k2)) / 2;
    const next = density + (GRID / 6) * (k1 + 2 * k2 + 2 * k3 + k4);
    sum += (GRID / 6) * (density + 4 * middle + next);
    density = next;
    upper[i + 1] = sum;
  }
  const inverse = new Array<number>(TABLE_STEPS + 1).fill(0);
  for (let i = -GRID_POINTS; i < upper.length; i++) {
    const probability = i < 0 ? 1 - (upper[-i] as number) : (upper[i] as number);
    inverse[Math.round(TABLE_STEPS * probability)] = Math.round(i * GRID * DELAY_SCALE);
  }
  return inverse.filter((_, i) => i % TABLE_STRIDE === 0 && i < TABLE_STEPS);
}

/** Pareto with exponent 3, moved to mean 0. */
function paretoTable(): number[] {
  const table: number[] = [];
  for (let i = PARETO_RANGE; i > 0; i -= PARETO_STRIDE) {
    const value = (1 / cubeRoot(i / PARETO_RANGE) - 1.5) * (4 / 3) * DELAY_SCALE;
    table.push(Math.round(Math.min(value, SHORT_MAX)));
  }
  return table;
}

/** A quarter of the one and three quarters of the other, as measured on the Internet. */
function paretoNormalTable(): number[] {
  const pareto = paretoTable();
  return normalTable().map((value, i) => Math.trunc(0.25 * value + 0.75 * (pareto[i] as number)));
}

function cubeRoot(value: number): number {
  let root = value;
  for (let i = 0; i < NEWTON_STEPS; i++) root = (2 * root + value / (root * root)) / 3;
  return root;
}
