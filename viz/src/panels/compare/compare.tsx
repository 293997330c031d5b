/**
 * Two runs beside each other at the same time of the timeline, and where they part.
 */

import { signal } from "@preact/signals";
import { gallery } from "virtual:gallery";
import type { RecordSummary } from "../../engine/describe.ts";
import type { HostDifference } from "../../engine/queries/compare.ts";
import type { Position } from "../../engine/queries/moment.ts";
import { formatTime } from "../../state/format.ts";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { current, goTo, goToTime, moment, type OpenSession, openSource, sessions, switchTo } from "../../state/store.ts";
import { groupsOf } from "../gallery/entry.ts";
import { groupName } from "../gallery/gallery.tsx";
import { scenarioText } from "../gallery/texts.ts";
import { SmallPicture } from "./small-picture.tsx";
import "./compare.css";

const ROWS_BEFORE = 4;
const ROWS = 12;

const START: Position = { id: 0, timeNs: 0 };

/** The run that somebody chose to stand at the right. */
const chosen = signal(0);

export function Panel() {
  const s = t.value.compare;
  const left = current.value;
  const now = moment.value;
  const others = sessions.value.filter(({ info }) => info.id !== left?.info.id);
  const right = others.find(({ info }) => info.id === chosen.value) ?? others.find(({ info }) => info.id === left?.parent) ?? others[0];
  const sinceStartNs = left === undefined || now === undefined ? 0 : now.position.timeNs - left.info.originNs;
  const there = useQuery("momentAt", right === undefined ? undefined : { timeNs: right.info.originNs + sinceStartNs }, right?.info.id);
  const answer = useQuery("compare", left === undefined || right === undefined ? undefined : { other: right.info.id });
  if (left === undefined || now === undefined) return null;
  const found = right === undefined ? undefined : answer.value;
  return (
    <div class="compare">
      <div class="bar">
        <label>
          {s.with}{" "}
          <select value={right === undefined ? "" : String(right.info.id)} onChange={(event) => void choose(event.currentTarget.value, left)}>
            {right === undefined ? <option value="">{s.choose}</option> : null}
            <optgroup label={s.runs}>
              {others.map((one) => (
                <option key={one.info.id} value={String(one.info.id)}>
                  {nameOf(one)}
                </option>
              ))}
            </optgroup>
            {groupsOf(gallery).map(({ name, entries }) => (
              <optgroup key={name} label={groupName(t.value.gallery, name)}>
                {entries.map(({ path, id, title }) => (
                  <option key={path} value={path}>
                    {`${id} ${title}`.trim()}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </label>
        {found === undefined ? null : found.partNs === undefined ? (
          <strong role="status">{s.equal}</strong>
        ) : (
          <>
            <span role="status">{s.parts(formatTime(found.partNs))}</span>
            <button
              type="button"
              onClick={() => {
                pause();
                void (found.first[0] === undefined ? goToTime(left.info.originNs + (found.partNs ?? 0)) : goTo(found.first[0].id));
              }}
            >
              {s.goThere}
            </button>
          </>
        )}
      </div>
      {right === undefined ? (
        <p class="note">{s.hint}</p>
      ) : (
        <>
          <div class="columns">
            <Side session={left} label={s.left} at={now.position} first={found?.first[0]} isCurrent>
              <SmallPicture info={left.info} now={now} label={s.left} />
            </Side>
            <Side session={right} label={s.right} at={there.value?.position ?? START} first={found?.first[1]} isCurrent={false}>
              {there.value === undefined ? null : <SmallPicture info={right.info} now={there.value} label={s.right} />}
            </Side>
          </div>
          {found === undefined ? null : <Hosts hosts={found.hosts} />}
        </>
      )}
    </div>
  );
}

/** A run, or a scenario of the gallery, which is opened beside the present one. */
async function choose(value: string, left: OpenSession): Promise<void> {
  if (/^\d+$/.test(value)) {
    chosen.value = Number(value);
    return;
  }
  const text = await scenarioText(value);
  if (text === undefined) return;
  const opened = await openSource({ kind: "scenario", file: value, text, seed: undefined, inputs: [] }, { parent: left.info.id, difference: value, isBeside: true });
  if (opened !== undefined) chosen.value = opened.info.id;
}

function nameOf({ info, parent, difference }: OpenSession): string {
  const s = t.value.app;
  const number = sessions.value.findIndex((one) => one.info.id === info.id) + 1;
  return `${number} ${parent === 0 ? s.original : difference === "edited" ? s.edited : difference}`;
}

interface SideProps {
  readonly session: OpenSession;
  readonly label: string;
  readonly at: Position;
  /** The first record that the other run has not. */
  readonly first: RecordSummary | undefined;
  readonly isCurrent: boolean;
  readonly children: preact.ComponentChildren;
}

function Side({ session, label, at, first, isCurrent, children }: SideProps) {
  const s = t.value.compare;
  const { info } = session;
  const { id } = at;
  // Of many records at one instant, the one that differs is shown.
  const middle = first?.timeNs === at.timeNs ? first.id : id;
  const index = useQuery("indexOfRecord", { filter: "", id: middle }, info.id);
  const rows = useQuery("records", index.value === undefined ? undefined : { filter: "", offset: Math.max(0, index.value - ROWS_BEFORE), length: ROWS }, info.id);
  return (
    <section aria-label={`${label}: ${nameOf(session)}`}>
      <h2 title={info.header.title}>
        <span class="what">
          {nameOf(session)} <span class="muted">{info.header.title}</span>
        </span>
        {isCurrent ? null : (
          <button type="button" class="quiet" onClick={() => void switchTo(info.id)}>
            {s.bringToFront}
          </button>
        )}
      </h2>
      <div class="picture">{children}</div>
      <ol class="rows mono">
        {rows.value?.records.map((record) => (
          <Row key={record.id} record={record} originNs={info.originNs} isAt={record.id === id} isFirst={record.id === first?.id} isPast={record.id <= id} />
        ))}
      </ol>
    </section>
  );
}

interface RowProps {
  readonly record: RecordSummary;
  readonly originNs: number;
  readonly isAt: boolean;
  readonly isFirst: boolean;
  readonly isPast: boolean;
}

function Row({ record, originNs, isAt, isFirst, isPast }: RowProps) {
  return (
    <li class={`${isAt ? "at" : ""}${isFirst ? " first" : ""}${isPast ? "" : " coming"}`} aria-current={isAt ? "step" : undefined} title={record.text}>
      <span class="when">{formatTime(record.timeNs - originNs)}</span> <span class="owner">{record.host}</span> {isFirst ? <strong>≠ {t.value.compare.first} </strong> : null}
      {record.kind}: {record.text}
    </li>
  );
}

function Hosts({ hosts }: { readonly hosts: readonly HostDifference[] }) {
  const s = t.value.compare;
  return (
    <details>
      <summary>{s.table}</summary>
      <table>
      <thead>
        <tr>
          <th scope="col">{s.host}</th>
          <th scope="col">{s.framesLeft}</th>
          <th scope="col">{s.framesRight}</th>
          <th scope="col">{s.dropsLeft}</th>
          <th scope="col">{s.dropsRight}</th>
        </tr>
      </thead>
      <tbody>
        {hosts.map(({ host, frames, drops }) => (
          <tr key={host}>
            <th scope="row">{host}</th>
            <td>{frames[0]}</td>
            <td class={frames[0] === frames[1] ? "" : "differs"}>{withDifference(frames)}</td>
            <td>{drops[0]}</td>
            <td class={drops[0] === drops[1] ? "" : "differs"}>{withDifference(drops)}</td>
          </tr>
        ))}
      </tbody>
      </table>
    </details>
  );
}

function withDifference([left, right]: readonly [number, number]): string {
  const by = right - left;
  return by === 0 ? String(right) : `${right} (${by > 0 ? "+" : "−"}${Math.abs(by)})`;
}
