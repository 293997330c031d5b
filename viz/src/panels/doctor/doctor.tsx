/**
 * The doctor: what is wrong in this run, why, what mends it, and the records that show it.
 */

import type { ShownFinding } from "../../engine/queries/why.ts";
import { t } from "../../state/preferences.ts";
import { current, moment, selection } from "../../state/store.ts";
import { RecordLink } from "../inspector/record-link.tsx";
import { askDoctor, found } from "./found.ts";
import "./doctor.css";

export function Panel() {
  const s = t.value.doctor;
  const session = current.value;
  const answer = found.value;
  if (session === undefined) return null;
  if (answer === undefined)
    return (
      <p class="note">
        {s.many(String(session.info.recordCount))}{" "}
        <button type="button" onClick={() => void askDoctor()}>
          {s.look}
        </button>
      </p>
    );
  if (!answer.hasTables) return <p class="note">{t.value.tables.noTables}</p>;
  return (
    <div class="doctor">
      {answer.list.length === 0 ? <p class="good">✓ {s.none(String(answer.conversations))}</p> : null}
      <ul>
        {answer.list.map((one) => (
          <li key={`${one.id} ${one.host} ${one.title}`}>
            <FindingView finding={one} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function FindingView({ finding: { id, host, title, why, fix, events, firstId } }: { readonly finding: ShownFinding }) {
  const s = t.value.doctor;
  const isComing = firstId > (moment.value?.position.id ?? 0);
  return (
    <article class={selection.value.node === host ? "finding selected" : "finding"} data-finding={id}>
      <h3>
        <span aria-hidden="true">⚠</span> {title} <span class="tag">{host}</span> <span class="mono muted">{id}</span> {isComing ? <span class="muted">{s.later}</span> : null}
      </h3>
      <dl>
        <dt>{s.why}</dt>
        <dd>{why}</dd>
        <dt>{s.fix}</dt>
        <dd>{fix}</dd>
        <dt>{s.shown}</dt>
        <dd>
          {events.map((record) => (
            <RecordLink key={record.id} record={record} isCurrent={record.id === moment.value?.position.id} />
          ))}
        </dd>
      </dl>
    </article>
  );
}
