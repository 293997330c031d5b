/**
 * One row of the ladder: a frame's arrows, or a mark at a host.
 */

import { Component } from "preact";
import type { LadderRow } from "../../engine/queries/ladder.ts";
import { formatTime } from "../../state/format.ts";
import { t } from "../../state/preferences.ts";
import { PROTOCOL_SHAPES } from "../topology/shapes.ts";
import { type Arrow, arrowsOf, fitText, type LadderLayout, TIME_WIDTH } from "./ladder-layout.ts";

const CHAR_PIXELS = 6.3;
const HEAD = 6;
/** Room of the words for a pause. */
const PAUSE_TEXT_PIXELS = 74;
const MARK_SIGNS: Readonly<Record<string, string>> = { "packet-dropped": "✕", "frame-dropped": "✕", scheduled: "⚖", "arp-decision": "?", "command-start": "$", link: "⏚", log: "≡", origin: "⚑" };

export interface RowProps {
  readonly row: LadderRow;
  readonly y: number;
  readonly layout: LadderLayout;
  readonly originNs: number;
  readonly pauseNs: number;
  readonly isCurrent: boolean;
  readonly index: number;
  readonly total: number;
  onGo(id: number): void;
}

/** Drawn anew only when its properties change: most rows stay as they are when the position moves. */
export class LadderRowView extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { row, y, layout, pauseNs, isCurrent, total } = this.props;
    return next.row !== row || next.y !== y || next.isCurrent !== isCurrent || next.pauseNs !== pauseNs || next.total !== total || next.layout.width !== layout.width || next.layout.rowPixels !== layout.rowPixels;
  }

  override render(props: RowProps) {
    return <RowDrawing {...props} />;
  }
}

function RowDrawing({ row, y, layout, originNs, pauseNs, isCurrent, index, total, onGo }: RowProps) {
  const arrows = arrowsOf(row, layout);
  const { rowPixels, hasText } = layout;
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the list's arrow keys choose
    // biome-ignore lint/a11y/useFocusableInteractive: the list has the focus and names its active option
    <g
      id={`ladder-${row.id}`}
      role="option"
      aria-selected={isCurrent}
      aria-setsize={total}
      aria-posinset={index + 1}
      aria-label={describe(row, originNs)}
      class={`row ${row.protocol ?? "none"} ${row.kind}${isCurrent ? " current" : ""}${row.changes.length > 0 ? " changed" : ""}`}
      transform={`translate(0,${y})`}
      onClick={() => onGo(row.id)}
    >
      <rect class="back" x={0} y={0} width={layout.width} height={rowPixels} />
      {pauseNs === 0 ? null : <path class="pause" d={`M${TIME_WIDTH + PAUSE_TEXT_PIXELS},0H${layout.width}`} />}
      {hasText ? (
        <text class="time" x={TIME_WIDTH - 8} y={rowPixels / 2 + 4}>
          {formatTime(row.timeNs - originNs)}
        </text>
      ) : null}
      {row.kind === "frame-sent" ? <Frame row={row} arrows={arrows} layout={layout} /> : <Mark row={row} layout={layout} />}
    </g>
  );
}

/** In words, for those who hear it. */
function describe(row: LadderRow, originNs: number): string {
  const s = t.value.ladder;
  const arrived = row.copies.filter(({ fate }) => fate !== "dropped").map(({ node }) => node);
  const died = row.copies.filter(({ fate }) => fate === "dropped").map(({ node, reason }) => `${node} ${reason}`);
  return [
    `${formatTime(row.timeNs - originNs)} s`,
    s.from(row.host),
    arrived.length === 0 ? "" : s.to(arrived.join(", ")),
    row.label,
    row.ends,
    died.length === 0 ? "" : s.dropped(died.join(", ")),
    row.changes.length === 0 ? "" : s.changed(row.changes.map(({ field, after }) => `${field} ${after}`).join(", ")),
  ]
    .filter((part) => part !== "")
    .join(", ");
}

function Frame({ row, arrows, layout }: { readonly row: LadderRow; readonly arrows: readonly Arrow[]; readonly layout: LadderLayout }) {
  const { rowPixels, hasText } = layout;
  const y = hasText ? rowPixels - 7 : rowPixels / 2;
  const fromX = layout.x(row.host);
  const ends = arrows.map(({ toX }) => toX);
  const [left, right] = [Math.min(fromX, ...ends), Math.max(fromX, ...ends)];
  const room = Math.max(right - left - 24, layout.columnWidth - 24);
  const isChanged = row.changes.length > 0;
  const label = fitText(`${isChanged ? "▲ " : ""}${row.label}${row.ends === "" ? "" : `  ${row.ends}`}`, room, CHAR_PIXELS);
  const middle = arrows.length === 0 ? fromX : (left + right) / 2;
  return (
    <>
      {arrows.map((arrow) => (
        <ArrowView key={arrow.id} arrow={arrow} y={y} hasText={hasText} />
      ))}
      <path class="start" transform={`translate(${fromX},${y}) scale(0.6)`} d={PROTOCOL_SHAPES[row.protocol ?? "other"]} />
      {hasText ? (
        <text class="label" x={middle} y={y - 5}>
          {label}
          <title>{[`${row.label} ${row.ends}`, ...row.changes.map(({ field, before, after }) => `▲ ${field}: ${before || "—"} → ${after || "—"}`)].join("\n")}</title>
        </text>
      ) : null}
    </>
  );
}

function ArrowView({ arrow: { fromX, toX, isDropped, reason }, y, hasText }: { readonly arrow: Arrow; readonly y: number; readonly hasText: boolean }) {
  const by = toX > fromX ? 1 : -1;
  return (
    <g class={isDropped ? "arrow dropped" : "arrow"}>
      <path class="line" d={`M${fromX},${y}H${toX - (isDropped ? 0 : by * 2)}`} />
      {isDropped ? (
        <>
          <path class="cross" d={`M${toX - 5},${y - 5}l10,10m0,-10l-10,10`} />
          {hasText ? (
            <text class="reason" x={toX + by * 9} y={y + 4} text-anchor={by > 0 ? "start" : "end"}>
              {reason}
            </text>
          ) : null}
        </>
      ) : (
        <path class="head" d={`M${toX},${y}l${-by * HEAD * 1.5},${-HEAD * 0.75}v${HEAD * 1.5}Z`} />
      )}
    </g>
  );
}

function Mark({ row, layout }: { readonly row: LadderRow; readonly layout: LadderLayout }) {
  const { rowPixels, hasText, width } = layout;
  const x = layout.x(row.host);
  const y = rowPixels / 2;
  const toRight = width - x - 14;
  const toLeft = x - TIME_WIDTH - 14;
  const isLeft = toRight < 150 && toLeft > toRight;
  const sign = MARK_SIGNS[row.kind] ?? "·";
  return (
    <>
      <circle class="mark" cx={x} cy={y} r={Math.min(8, rowPixels / 2 - 2)} />
      {hasText ? (
        <>
          <text class="sign" x={x} y={y + 4}>
            {sign}
          </text>
          <text class="note" x={isLeft ? x - 13 : x + 13} y={y + 4} text-anchor={isLeft ? "end" : "start"}>
            {fitText(row.label, isLeft ? toLeft : toRight, CHAR_PIXELS)}
            <title>{row.label}</title>
          </text>
        </>
      ) : null}
    </>
  );
}
