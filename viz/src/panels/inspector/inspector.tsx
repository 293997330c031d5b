/**
 * The record in view taken apart: headers with their bytes, what this hop changed, what decided, what led here and what followed.
 */

import { useSignal } from "@preact/signals";
import { type ComponentChildren, Fragment } from "preact";
import type { RecordSummary } from "../../engine/describe.ts";
import type { FieldChange } from "../../engine/hop.ts";
import type { Candidate, Inspection } from "../../engine/queries/inspect.ts";
import type { RowLink } from "../../engine/queries/row-links.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { settled } from "../../state/settled.ts";
import { current, filter, goTo } from "../../state/store.ts";
import { RECORDS_UNASKED_MAX } from "../doctor/found.ts";
import { showRow } from "../tables/shown-row.ts";
import { withOwner } from "./address-owner.ts";
import { HeaderView } from "./header-view.tsx";
import { compareLayers } from "./layer-diff.ts";
import { RecordLink } from "./record-link.tsx";
import "./inspector.css";

/** A long chain of causes is cut behind so many. */
const CAUSES_FIRST = 2;

export function Panel() {
  const s = t.value.inspector;
  const id = settled.value?.position.id ?? 0;
  const answer = useQuery("inspect", id === 0 ? undefined : { id });
  const inspection = answer.value;
  const asked = inspection === undefined ? undefined : { id: inspection.record.id, records: [...inspection.decisions.map((one) => one.id), inspection.record.id] };
  const rows = useQuery("rowLinks", asked);
  if (inspection === undefined) return <p class="note">{s.none}</p>;
  return <InspectionView inspection={inspection} rows={rows.value ?? []} />;
}

function InspectionView({ inspection, rows }: { readonly inspection: Inspection; readonly rows: readonly RowLink[] }) {
  const s = t.value.inspector;
  const { record, now, before } = inspection;
  const side = useSignal<"after" | "before">("after");
  const isBefore = side.value === "before" && before !== undefined;
  // A frame's device stands in the title.
  const details = inspection.details.filter(([name]) => name !== "device" || record.device === "");
  const own = rows.filter((row) => row.record === record.id);
  return (
    <div class="inspector" data-record={record.id}>
      <Title record={record} />
      {now === undefined ? null : <Changes inspection={inspection} />}
      {details.length === 0 ? null : (
        <Section title={s.details}>
          <dl>
            {details.map(([name, value]) => (
              <div key={name}>
                <dt>{name}</dt>
                <dd class="mono">{value}</dd>
              </div>
            ))}
          </dl>
        </Section>
      )}
      {inspection.candidates.length === 0 ? null : <Candidates candidates={inspection.candidates} />}
      {own.length === 0 ? null : (
        <Section title={s.behind}>
          <RowLinks rows={own} />
        </Section>
      )}
      {inspection.decisions.length === 0 ? null : (
        <Section title={s.decided} isOrdered>
          {inspection.decisions.map((decision) => (
            <li key={decision.id}>
              <RecordLink record={decision} />
              <RowLinks rows={rows.filter((row) => row.record === decision.id)} />
            </li>
          ))}
        </Section>
      )}
      {now === undefined ? null : (
        <Section title={s.headers}>
          {before === undefined ? null : (
            <div class="sides" role="group" aria-label={s.shown}>
              <button type="button" aria-pressed={!isBefore} onClick={() => (side.value = "after")}>
                {s.shownAfter}
              </button>
              <button type="button" aria-pressed={isBefore} onClick={() => (side.value = "before")}>
                {s.shownBefore}
              </button>
            </div>
          )}
          <HeaderView key={`${record.id} ${isBefore}`} shown={isBefore ? before : now} before={isBefore ? undefined : before} />
        </Section>
      )}
      <InSentences key={record.id} id={record.id} />
      <Chain title={s.causes} records={inspection.causes} current={record.id} none={s.noCauses} hidden={inspection.causesHidden} hiddenBefore={CAUSES_FIRST} />
      <Chain title={s.effects} records={inspection.effects} current={record.id} none={s.noEffects} hidden={inspection.effectsHidden} hiddenBefore={inspection.effects.length} />
      {record.packet === 0 ? null : <Life record={record} />}
    </div>
  );
}

/** Why it happened; of long runs only when somebody asks, since every record is read for it. */
function InSentences({ id }: { readonly id: number }) {
  const s = t.value.inspector;
  const isOpen = useSignal((current.value?.info.recordCount ?? 0) <= RECORDS_UNASKED_MAX);
  const answer = useQuery("explain", isOpen.value ? { id } : undefined);
  const sentences = answer.value?.id === id ? answer.value.sentences : [];
  return (
    <details class="part" open={isOpen.value} onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>{s.inSentences}</summary>
      <ol class="sentences">
        {sentences.map(({ text, event }, index) => (
          <li key={`${index} ${event}`} class={event === id ? "current" : ""}>
            <button type="button" aria-label={`${s.goTo(String(event))}: ${text}`} onClick={() => goToRecord(event)}>
              {text}
            </button>
          </li>
        ))}
      </ol>
    </details>
  );
}

function goToRecord(id: number): void {
  pause();
  void goTo(id);
}

function Title({ record }: { readonly record: RecordSummary }) {
  const s = t.value.inspector;
  const originNs = current.value?.info.originNs ?? 0;
  return (
    <header class="title">
      <div>
        <span class="tag">{record.kind}</span> <strong>{record.device === "" ? record.host : `${record.host}:${record.device}`}</strong>{" "}
        <span class="muted mono">{formatTime(record.timeNs - originNs)} s</span>
      </div>
      <div class="mono text">{record.text}</div>
      <div class="follow">
        {record.packet === 0 ? null : <Follow text={s.followPacket} wanted={`packet == ${record.packet}`} />}
        {record.connection === 0 ? null : <Follow text={s.followConnection} wanted={`conn == ${record.connection}`} />}
      </div>
    </header>
  );
}

/** The display filter shows the packet or connection everywhere: records, ladder, timeline, steps. */
function Follow({ text, wanted }: { readonly text: string; readonly wanted: string }) {
  const isOn = filter.value.trim() === wanted;
  return (
    <button type="button" aria-pressed={isOn} title={isOn ? t.value.inspector.unfollow : wanted} onClick={() => (filter.value = isOn ? "" : wanted)}>
      {isOn ? "◉" : "○"} {text}
    </button>
  );
}

function Section({ title, children, isOrdered = false }: { readonly title: string; readonly children: ComponentChildren; readonly isOrdered?: boolean }) {
  return (
    <section class="part">
      <h3>{title}</h3>
      {isOrdered ? <ol>{children}</ol> : children}
    </section>
  );
}

function Changes({ inspection: { now, before, changes } }: { readonly inspection: Inspection }) {
  const s = t.value.inspector;
  if (now === undefined || before === undefined) return null;
  const { gone } = compareLayers(before.layers, now.layers);
  return (
    <section class="part">
      <h3>
        {s.changes} <span class="muted">{s.changesFrom(String(before.id))}</span>
      </h3>
      {changes.length === 0 ? <p class="muted">{s.unchanged}</p> : <ChangeTable changes={changes} />}
      {gone.map((layer) => (
        <p key={layer.offset} class="changed">
          ▲ {s.goneLayer(layer.title)}
        </p>
      ))}
    </section>
  );
}

function ChangeTable({ changes }: { readonly changes: readonly FieldChange[] }) {
  const s = t.value.inspector;
  return (
    <table class="changes mono">
      <thead>
        <tr>
          <th scope="col">{s.field}</th>
          <th scope="col">{s.before}</th>
          <th scope="col">{s.after}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, before, after }) => (
          <tr key={`${field} ${before} ${after}`}>
            <th scope="row">{field}</th>
            <td>{before === "" ? "—" : withOwner(before)}</td>
            <td class="changed">▲ {after === "" ? "—" : withOwner(after)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Candidates({ candidates }: { readonly candidates: readonly Candidate[] }) {
  const s = t.value.inspector;
  return (
    <Section title={s.candidates}>
      <table class="mono">
        <thead>
          <tr>
            {[s.server, s.weight, s.active, s.inactive, s.overhead].map((title) => (
              <th key={title} scope="col">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {candidates.map((one) => (
            <tr key={one.server} class={one.isChosen ? "chosen" : one.isEligible ? "" : "muted"}>
              <th scope="row">
                {one.server} {one.isChosen ? <span class="tag">✓ {s.chosen}</span> : one.isEligible ? null : <span class="tag">{s.notEligible}</span>}
              </th>
              <td>{one.weight}</td>
              <td>{one.activeConns}</td>
              <td>{one.inactConns}</td>
              <td>{one.overhead ?? "—"}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function RowLinks({ rows }: { readonly rows: readonly RowLink[] }) {
  const names = t.value.tables.names;
  if (rows.length === 0) return null;
  return (
    <ul class="row-links">
      {rows.map((row) => (
        <li key={`${row.owner} ${row.table} ${row.key}`}>
          <button type="button" class="row-link" title={t.value.inspector.openRow(row.text)} onClick={() => showRow(row)}>
            <span class="muted">▤ {names[row.table]}</span> <span class="mono">{row.text}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

interface ChainProps {
  readonly title: string;
  readonly records: readonly RecordSummary[];
  readonly current: number;
  readonly none: string;
  /** How many are left out, and before which record. */
  readonly hidden: number;
  readonly hiddenBefore: number;
}

function Chain({ title, records, current: id, none, hidden, hiddenBefore }: ChainProps) {
  const s = t.value.inspector;
  const left = hidden === 0 ? null : <li class="muted left-out">⋮ {s.more(String(hidden))}</li>;
  if (records.every((record) => record.id === id)) {
    return (
      <Section title={title}>
        <p class="muted">{none}</p>
      </Section>
    );
  }
  return (
    <Section title={title} isOrdered>
      {records.map((record, at) => (
        <Fragment key={record.id}>
          {at === hiddenBefore ? left : null}
          <li>
            <RecordLink record={record} isCurrent={record.id === id} />
          </li>
        </Fragment>
      ))}
      {hiddenBefore >= records.length ? left : null}
    </Section>
  );
}

/** Fetched when it is opened. */
function Life({ record }: { readonly record: RecordSummary }) {
  const s = t.value.inspector;
  const isOpen = useSignal(false);
  const life = useQuery("packetLife", isOpen.value ? { id: record.packet } : undefined);
  return (
    <details class="part" onToggle={(event) => (isOpen.value = event.currentTarget.open)}>
      <summary>{s.life}</summary>
      <ol>
        {(life.value ?? []).map((one) => (
          <li key={one.id}>
            <RecordLink record={one} isCurrent={one.id === record.id} />
          </li>
        ))}
      </ol>
    </details>
  );
}
