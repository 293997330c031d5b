/**
 * A record in one line, as a way to it.
 */

import type { RecordSummary } from "../../engine/describe.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { current, goTo } from "../../state/store.ts";
import "./record-link.css";

export interface RecordLinkProps {
  readonly record: RecordSummary;
  readonly isCurrent?: boolean;
}

export function RecordLink({ record, isCurrent = false }: RecordLinkProps) {
  const s = t.value.inspector;
  const originNs = current.value?.info.originNs ?? 0;
  return (
    <button
      type="button"
      class={`record-link ${record.protocol ?? "none"}${isCurrent ? " current" : ""}`}
      aria-current={isCurrent ? "true" : undefined}
      title={`${s.goTo(String(record.id))} · ${formatTime(record.timeNs - originNs)} s`}
      onClick={() => {
        pause();
        void goTo(record.id);
      }}
    >
      <span class="muted">{record.id}</span>
      <strong>{record.device === "" ? record.host : `${record.host}:${record.device}`}</strong>
      <span class="muted">{record.kind}</span>
      <span class="text">{record.text}</span>
      {isCurrent ? <span class="tag">{s.thisOne}</span> : null}
    </button>
  );
}
