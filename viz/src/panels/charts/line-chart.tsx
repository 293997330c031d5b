/**
 * Lines over time with an axis each way, the position as a line across; a click goes to its time.
 */

import { axisBottom, axisLeft } from "d3-axis";
import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { curveStepAfter, line } from "d3-shape";
import { useLayoutEffect, useRef } from "preact/hooks";
import { pause } from "../../state/playback.ts";
import { goToTime } from "../../state/store.ts";
import { styleOf } from "./chart-series.ts";

const LEFT = 44;
const RIGHT = 26;
const TOP = 8;
const BOTTOM = 22;
const NS_PER_SECOND = 1e9;
/** Servers whose lines end at one place stand beside each other. */
const SIGN_GAP = 13;

export interface ChartLine {
  /** Chooses colour and sign. */
  readonly index: number;
  readonly values: ArrayLike<number>;
  readonly dash: "" | "dashed" | "dotted";
}

export interface LineChartProps {
  readonly label: string;
  readonly lines: readonly ChartLine[];
  readonly width: number;
  readonly height: number;
  readonly fromNs: number;
  readonly toNs: number;
  readonly nowNs: number;
  readonly max: number;
  format(value: number): string;
}

export function LineChart({ label, lines, width, height, fromNs, toNs, nowNs, max, format }: LineChartProps) {
  const axes = useRef<SVGGElement>(null);
  const seconds = (timeNs: number) => (timeNs - fromNs) / NS_PER_SECOND;
  const x = scaleLinear([0, seconds(toNs)], [LEFT, width - RIGHT]);
  const y = scaleLinear([0, Math.max(max, 1e-9)], [height - BOTTOM, TOP]);
  const isWhole = max >= 1 && Number.isInteger(max);
  useLayoutEffect(() => {
    if (axes.current === null) return;
    const [bottom, left] = [...axes.current.children] as [SVGGElement, SVGGElement];
    select(bottom).call(axisBottom(x).ticks(Math.max(2, Math.floor(width / 90))).tickFormat((tick) => `${tick} s`));
    const ticks = y.ticks(4).filter((tick) => !isWhole || Number.isInteger(tick) || max === 1);
    select(left).call(
      axisLeft(y)
        .tickValues(ticks)
        .tickFormat((tick) => format(Number(tick))),
    );
  }, [width, height, fromNs, toNs, max]);
  const at = (values: ArrayLike<number>) => {
    const count = values.length;
    const path = line<number>()
      .defined((value) => !Number.isNaN(value))
      .x((_, bin) => x((seconds(toNs) * bin) / Math.max(count - 1, 1)))
      .y((value) => y(value))
      .curve(curveStepAfter);
    return path(Array.from(values)) ?? "";
  };
  const taken = new Map<number, number>();
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the timeline's slider does the same with keys
    <svg
      class="line-chart"
      role="img"
      aria-label={label}
      width={width}
      height={height}
      onClick={(event) => {
        const share = x.invert(event.offsetX) / Math.max(seconds(toNs), 1e-9);
        pause();
        void goToTime(fromNs + Math.min(1, Math.max(0, share)) * (toNs - fromNs));
      }}
    >
      <g ref={axes} class="axes">
        <g transform={`translate(0,${height - BOTTOM})`} />
        <g transform={`translate(${LEFT},0)`} />
      </g>
      {lines.map(({ index, values, dash }) => (
        <path key={`${index} ${dash}`} class={`line ${dash}`} style={{ stroke: styleOf(index).colour }} d={at(values)} />
      ))}
      {lines
        .filter(({ dash }) => dash === "")
        .map(({ index, values }) => {
          const last = values[values.length - 1] ?? Number.NaN;
          if (Number.isNaN(last)) return null;
          const place = Math.round(y(last) / 8);
          const before = taken.get(place) ?? 0;
          taken.set(place, before + 1);
          return <path key={index} class="sign" style={{ fill: styleOf(index).colour }} transform={`translate(${width - RIGHT + 9 - before * SIGN_GAP},${y(last)})`} d={styleOf(index).sign} />;
        })}
      <path class="now" d={`M${Math.min(Math.max(x(seconds(nowNs)), LEFT), width - RIGHT)},${TOP}V${height - BOTTOM}`} />
    </svg>
  );
}
