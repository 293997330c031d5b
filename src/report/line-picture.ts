/**
 * Steps over time as SVG: what a chart of the load is made of.
 */

import { LINE_SIGNS } from "./line-signs.ts";
import { type Markup, markup } from "./markup.ts";

const WIDTH = 470;
const HEIGHT = 170;
const LEFT = 46;
const RIGHT = 14;
const TOP = 10;
const BOTTOM = 24;
const TICKS = 5;
/** Of a power of ten; the last always fits. */
const STEPS = [0.2, 0.5, 1, 2] as const;
/** As many colours and signs; further lines repeat them. */
export const LINE_STYLES = 7;

export interface PictureLine {
  /** Chooses colour and sign. */
  readonly index: number;
  /** A value a bin; NaN: nothing is drawn. */
  readonly values: ArrayLike<number>;
  readonly dash: "solid" | "dashed" | "dotted";
}

export interface LinePictureInput {
  readonly label: string;
  readonly lines: readonly PictureLine[];
  /** Of the whole width. */
  readonly seconds: number;
  readonly max: number;
  format(value: number): string;
}

export function linePicture({ label, lines, seconds, max, format }: LinePictureInput): Markup {
  const [right, bottom] = [WIDTH - RIGHT, HEIGHT - BOTTOM];
  const x = (share: number) => round(LEFT + (right - LEFT) * share);
  const y = (value: number) => round(bottom - ((bottom - TOP) * value) / Math.max(max, 1e-9));
  const across = ticksUpTo(seconds).map((tick) => {
    const at = x(seconds === 0 ? 0 : tick / seconds);
    return markup`<g class="tick"><line x1="${at}" y1="${bottom}" x2="${at}" y2="${bottom + 4}"/><text x="${at}" y="${bottom + 17}" text-anchor="middle">${tick} s</text></g>`;
  });
  const up = ticksUpTo(max).map((tick) => markup`<g class="tick"><line class="grid" x1="${LEFT}" y1="${y(tick)}" x2="${right}" y2="${y(tick)}"/><text x="${LEFT - 6}" y="${y(tick) + 4}" text-anchor="end">${format(tick)}</text></g>`);
  const drawn = lines.map(({ index, values, dash }) => markup`<path class="line ${dash} s${index % LINE_STYLES}" d="${pathOf(values, x, y)}"/>`);
  return markup`<svg class="chart" role="img" aria-label="${label}" viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" height="${HEIGHT}">${up}${across}<path class="axis" d="M${LEFT},${TOP}V${bottom}H${right}"/>${drawn}</svg>`;
}

function pathOf(values: ArrayLike<number>, x: (share: number) => number, y: (value: number) => number): string {
  const count = values.length;
  const parts: string[] = [];
  let last = Number.NaN;
  for (let bin = 0; bin < count; bin++) {
    const value = values[bin] as number;
    if (Number.isNaN(value)) {
      last = Number.NaN;
      continue;
    }
    const at = x(bin / Math.max(count - 1, 1));
    if (Number.isNaN(last)) parts.push(`M${at},${y(value)}`);
    else if (value !== last) parts.push(`H${at}V${y(value)}`);
    else if (bin === count - 1 || Number.isNaN(values[bin + 1] as number)) parts.push(`H${at}`);
    last = value;
  }
  return parts.join("");
}

/** Round numbers from 0 to `max`, three to six of them. */
export function ticksUpTo(max: number): readonly number[] {
  if (!(max > 0)) return [0];
  let power = 1;
  while (power * 10 <= max) power *= 10;
  while (power > max) power /= 10;
  const step = power * (STEPS.find((one) => max / (power * one) <= TICKS) as number);
  return Array.from({ length: Math.floor(max / step + 1e-9) + 1 }, (_, at) => Number((at * step).toPrecision(6)));
}

function round(value: number): number {
  return Number(value.toFixed(1));
}

/** The sign of a line, for words beside a chart. */
export function lineSign(index: number): Markup {
  return markup`<svg class="sign" viewBox="-8 -8 16 16" width="14" height="14" aria-hidden="true"><path class="s${index % LINE_STYLES}" d="${LINE_SIGNS[index % LINE_STYLES] as string}"/></svg>`;
}
