/**
 * The records that match the filter, one a line, around the position. Only what can be seen is fetched.
 */

import { useSignal } from "@preact/signals";
import { Component } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { RecordSummary } from "../../engine/describe.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { current, filter, filterCheck, goTo, moment } from "../../state/store.ts";
import "./records.css";

const ROW_PIXELS = 22;
const SPARE_ROWS = 8;
/** Browsers do not scroll further. */
const SCROLL_PIXELS_MAX = 12_000_000;

export function Panel() {
  const s = t.value.records;
  const list = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(300);
  const session = current.value;
  const id = moment.value?.position.id ?? 0;
  const shownFilter = filterCheck.value?.problem === undefined ? filter.value : "";
  const at = useQuery("indexOfRecord", { filter: shownFilter, id });
  const totalGuess = useSignal(0);
  // Of very long lists a pixel of scrolling is more than a pixel of rows, and the last rows are still at the end.
  const isLong = totalGuess.value * ROW_PIXELS > SCROLL_PIXELS_MAX;
  const pixelsPerRow = isLong ? (SCROLL_PIXELS_MAX - height.value) / (totalGuess.value - height.value / ROW_PIXELS) : ROW_PIXELS;
  const first = Math.max(0, Math.floor(top.value / pixelsPerRow) - SPARE_ROWS);
  const length = Math.ceil(height.value / ROW_PIXELS) + 2 * SPARE_ROWS;
  const rows = useQuery("records", session === undefined ? undefined : { filter: shownFilter, offset: first - (first % SPARE_ROWS), length: length + SPARE_ROWS });
  const total = rows.value?.total ?? 0;
  useEffect(() => {
    totalGuess.value = total;
  }, [total, totalGuess]);
  const index = at.value ?? -1;
  // Only in a sheet that is as long as its rows is there something to scroll to.
  const isKnown = total > index;
  useEffect(() => {
    const element = list.current;
    if (element === null || index < 0 || !isKnown) return;
    // Sizes come from signals: reading the element's would lay the page out at every step.
    const y = (index - top.peek() / pixelsPerRow) * ROW_PIXELS;
    const rowsInView = height.peek() / ROW_PIXELS;
    if (y < ROW_PIXELS) element.scrollTop = Math.max(0, (index - (rowsInView * 2) / 3) * pixelsPerRow);
    else if (y > height.peek() - 2 * ROW_PIXELS) element.scrollTop = (index - rowsInView / 3) * pixelsPerRow;
  }, [index, total, pixelsPerRow, isKnown, top, height]);
  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) height.value = entry.contentRect.height;
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [height]);
  const originNs = session?.info.originNs ?? 0;
  return (
    <div
      class="records mono"
      ref={list}
      role="grid"
      aria-label={s.label}
      aria-rowcount={total}
      tabIndex={0}
      onScroll={(event) => {
        top.value = event.currentTarget.scrollTop;
      }}
    >
      {rows.value !== undefined && total === 0 ? <p class="note">{s.empty}</p> : null}
      <div class="sheet" style={{ height: `${isLong ? SCROLL_PIXELS_MAX : total * ROW_PIXELS}px` }}>
        {rows.value?.records.map((record, place) => {
          const row = (rows.value?.offset ?? 0) + place;
          return <Row key={record.id} record={record} y={!isLong ? row * ROW_PIXELS : Math.round(top.value + (row - top.value / pixelsPerRow) * ROW_PIXELS)} index={row} originNs={originNs} isCurrent={record.id === id} />;
        })}
      </div>
    </div>
  );
}

interface RowProps {
  readonly record: RecordSummary;
  readonly y: number;
  readonly index: number;
  readonly originNs: number;
  readonly isCurrent: boolean;
}

/** Drawn anew only when its properties change: most rows stay as they are when the position moves. */
class Row extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    return next.isCurrent !== this.props.isCurrent || next.y !== this.props.y || next.record.text !== this.props.record.text;
  }

  override render({ record, y, index, originNs, isCurrent }: RowProps) {
    return (
      // biome-ignore lint/a11y/useKeyWithClickEvents: the arrow keys of the page step through the records
      <div
        role="row"
        aria-rowindex={index + 1}
        aria-selected={isCurrent}
        class={`record ${record.protocol ?? "none"} ${record.kind}${isCurrent ? " current" : ""}`}
        style={{ top: `${y}px` }}
        onClick={() => {
          pause();
          void goTo(record.id);
        }}
      >
        <span role="gridcell">{record.id}</span>
        <span role="gridcell">{formatTime(record.timeNs - originNs)}</span>
        <span role="gridcell">{record.device === "" ? record.host : `${record.host}:${record.device}`}</span>
        <span role="gridcell">{record.kind}</span>
        <span role="gridcell" title={record.text}>
          {record.text}
        </span>
      </div>
    );
  }
}
