/**
 * The timeline: how much happens when, what stands out, where one is. Dragging it scrubs.
 */

import { useSignal } from "@preact/signals";
import { scaleLinear } from "d3-scale";
import { useEffect, useRef } from "preact/hooks";
import { NS_PER_SECOND } from "../../../../src/base/time.ts";
import type { MarkerKind } from "../../engine/queries/window.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { current, filter, goTo, goToTime, moment } from "../../state/store.ts";
import "./timeline.css";

const HEIGHT = 58;
const BARS_TOP = 14;
const BARS_BOTTOM = 42;
const BIN_PIXELS = 3;
const ZOOM_FACTOR = 1.6;
const SPAN_MIN_NS = 2000;
/** Marks at the same pixel are drawn once. */
const MARK_PIXELS = 4;

/** A shape for each kind, so that colour is not alone. */
const MARK_PATHS: Readonly<Record<MarkerKind, string>> = {
  command: "M-3,-4L4,0L-3,4Z",
  drop: "M-4,-4L4,4M4,-4L-4,4",
  arp: "M0,-4.5L4.5,0L0,4.5L-4.5,0Z",
  failover: "M0,-5L1.5,-1.5L5,-1.2L2.3,1.2L3.2,5L0,2.8L-3.2,5L-2.3,1.2L-5,-1.2L-1.5,-1.5Z",
  link: "M-4,-3H4V3H-4Z",
};

export function Timeline() {
  const s = t.value.timeline;
  const box = useRef<HTMLDivElement>(null);
  const width = useSignal(800);
  const session = current.value;
  const info = session?.info;
  const range = useSignal<readonly [number, number]>([0, 1]);
  useEffect(() => {
    if (info !== undefined) range.value = wholeRange(info);
  }, [info, range]);
  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) width.value = Math.max(200, Math.floor(entry.contentRect.width));
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [width]);
  const at = moment.value?.position.timeNs ?? 0;
  useEffect(() => {
    // A position that leaves the stretch in view takes it along.
    const [from, to] = range.peek();
    if (at >= from && at <= to) return;
    const half = (to - from) / 2;
    const start = Math.max(0, at - half);
    range.value = [start, start + 2 * half];
  }, [at, range]);
  const [fromNs, toNs] = range.value;
  const bins = Math.floor(width.value / BIN_PIXELS);
  const density = useQuery("density", info === undefined ? undefined : { fromNs, toNs, bins, filter: filter.value });
  const marks = useQuery("markers", info === undefined ? undefined : { fromNs, toNs });
  if (info === undefined) return null;
  const x = scaleLinear([fromNs, toNs], [0, width.value]);
  const setRange = (from: number, to: number) => {
    const [low, high] = wholeRange(info);
    const span = Math.min(Math.max(to - from, SPAN_MIN_NS), high - low);
    const start = Math.min(Math.max(from, low), high - span);
    range.value = [start, start + span];
  };
  const zoom = (factor: number, centre = at) => setRange(centre - (centre - fromNs) * factor, centre + (toNs - centre) * factor);
  const scrubTo = (event: PointerEvent) => {
    const left = box.current?.getBoundingClientRect().left ?? 0;
    void goToTime(x.invert(event.clientX - left));
  };
  return (
    <section class="timeline" aria-label={s.label}>
      <div
        class="track"
        ref={box}
        role="slider"
        tabIndex={0}
        aria-label={s.slider}
        aria-valuemin={(info.firstId === 0 ? 0 : -info.originNs) / NS_PER_SECOND}
        aria-valuemax={(info.endNs - info.originNs) / NS_PER_SECOND}
        aria-valuenow={(at - info.originNs) / NS_PER_SECOND}
        aria-valuetext={`${formatTime(at - info.originNs)} s`}
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          pause();
          event.currentTarget.setPointerCapture(event.pointerId);
          scrubTo(event);
        }}
        onPointerMove={(event) => {
          if (event.currentTarget.hasPointerCapture(event.pointerId)) scrubTo(event);
        }}
        onWheel={(event) => {
          event.preventDefault();
          const left = box.current?.getBoundingClientRect().left ?? 0;
          if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
            const by = ((event.deltaX || event.deltaY) * (toNs - fromNs)) / width.value;
            setRange(fromNs + by, toNs + by);
          } else zoom(event.deltaY > 0 ? ZOOM_FACTOR : 1 / ZOOM_FACTOR, x.invert(event.clientX - left));
        }}
      >
        <svg width={width.value} height={HEIGHT} aria-hidden="true">
          {info.originNs > fromNs ? <rect class="setup" x={0} y={BARS_TOP} width={Math.max(0, x(info.originNs))} height={BARS_BOTTOM - BARS_TOP} /> : null}
          <Bars counts={density.value?.all} className="all" />
          <Bars counts={density.value?.frames} className="frames" of={density.value?.all} />
          {density.value?.matches.length ? <Bars counts={density.value.matches} className="matches" of={density.value.all} /> : null}
          <Axis fromNs={fromNs} toNs={toNs} originNs={info.originNs} width={width.value} />
          {thin(marks.value ?? [], x).map((mark) => (
            <g
              key={mark.id}
              class={`mark ${mark.kind}`}
              transform={`translate(${x(mark.timeNs)},7)`}
              onPointerDown={(event) => {
                event.stopPropagation();
                pause();
                void goTo(mark.id);
              }}
            >
              <title>{`${s.kinds[mark.kind]} · ${mark.host} · ${mark.text}`}</title>
              <path d={MARK_PATHS[mark.kind]} />
            </g>
          ))}
          <g class="now" transform={`translate(${Math.min(Math.max(x(at), -10), width.value + 10)},0)`}>
            <path d={`M0,${HEIGHT - 14}V12`} />
            <path class="head" d="M-6,0H6V6L0,12L-6,6Z" />
          </g>
        </svg>
      </div>
      <div class="zoom">
        <button type="button" class="quiet icon" aria-label={s.zoomIn} title={s.zoomIn} onClick={() => zoom(1 / ZOOM_FACTOR ** 2)}>
          +
        </button>
        <button type="button" class="quiet icon" aria-label={s.zoomOut} title={s.zoomOut} onClick={() => zoom(ZOOM_FACTOR ** 2)}>
          −
        </button>
        <button type="button" class="quiet icon" aria-label={s.zoomAll} title={s.zoomAll} onClick={() => setRange(...wholeRange(info))}>
          ⤢
        </button>
      </div>
    </section>
  );
}

function wholeRange({ endNs }: { readonly endNs: number }): readonly [number, number] {
  return [0, Math.max(endNs, SPAN_MIN_NS)];
}

interface BarsProps {
  readonly counts: Uint32Array | undefined;
  readonly className: string;
  /** Counts that give the scale; default: the same. */
  readonly of?: Uint32Array | undefined;
}

/** Heights go with the logarithm: a single record can be seen beside a thousand. */
function Bars({ counts, className, of = counts }: BarsProps) {
  if (counts === undefined || of === undefined) return null;
  let most = 1;
  for (const count of of) most = Math.max(most, count);
  const room = BARS_BOTTOM - BARS_TOP;
  let path = "";
  for (const [bin, count] of counts.entries()) {
    if (count === 0) continue;
    const height = Math.max(2, (room * Math.log1p(count)) / Math.log1p(most));
    path += `M${bin * BIN_PIXELS + 1},${BARS_BOTTOM}v${-height.toFixed(1)}`;
  }
  return <path class={`bars ${className}`} d={path} />;
}

function Axis({ fromNs, toNs, originNs, width }: { readonly fromNs: number; readonly toNs: number; readonly originNs: number; readonly width: number }) {
  const x = scaleLinear([(fromNs - originNs) / NS_PER_SECOND, (toNs - originNs) / NS_PER_SECOND], [0, width]);
  const ticks = x.ticks(Math.max(2, Math.floor(width / 110)));
  return (
    <g class="axis">
      {ticks.map((tick) => (
        <g key={tick} transform={`translate(${x(tick)},${BARS_BOTTOM})`}>
          <path d="M0,0v4" />
          <text y={14}>{`${Number(tick.toPrecision(12))} s`}</text>
        </g>
      ))}
    </g>
  );
}

function thin<M extends { readonly kind: MarkerKind; readonly timeNs: number }>(marks: readonly M[], x: (timeNs: number) => number): M[] {
  const lastAt = new Map<MarkerKind, number>();
  return marks.filter(({ kind, timeNs }) => {
    const at = x(timeNs);
    const last = lastAt.get(kind);
    if (last !== undefined && at - last < MARK_PIXELS) return false;
    lastAt.set(kind, at);
    return true;
  });
}
