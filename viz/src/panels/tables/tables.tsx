/**
 * The tables of one host or link at this instant. What changed in the last step glows and is marked in words.
 */

import { signal, useSignal } from "@preact/signals";
import { type ComponentChildren, Fragment } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { COLUMNS, type Column, TABLE_ORDER, textBefore } from "../../../../src/report/columns.ts";
import type { TableName } from "../../../../src/trace/rows.ts";
import type { HostTables, ShownRow, ShownTable } from "../../engine/queries/host-tables.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { settled, settledPrevious } from "../../state/settled.ts";
import { current, selection } from "../../state/store.ts";
import { RecordLink } from "../inspector/record-link.tsx";
import { SettingsTables } from "./settings-table.tsx";
import { pointedRow, showRow } from "./shown-row.ts";
import "./tables.css";

/** Tables that a person folded or unfolded. */
const folded = signal<ReadonlyMap<TableName, boolean>>(new Map());
/** Folded until somebody asks for them. */
const FOLDED_FIRST: ReadonlySet<TableName> = new Set<TableName>(["links", "rules", "routes", "netfilter", "sockets"]);

function isOpen(name: TableName): boolean {
  return !(folded.value.get(name) ?? FOLDED_FIRST.has(name));
}

export function Panel() {
  const s = t.value.tables;
  const session = current.value;
  const now = settled.value;
  const hasAllSettings = useSignal(false);
  const recordHost = now?.record?.host ?? "";
  const owners = session === undefined ? [] : [...session.info.header.hosts.map(({ name }) => name), ...session.info.header.links.map((name) => `link/${name}`)];
  const followed = owners.includes(recordHost) ? recordHost : owners.includes(`link/${recordHost}`) ? `link/${recordHost}` : (owners[0] ?? "");
  const owner = selection.value.node === "" ? followed : selection.value.node;
  const answer = useQuery("hostTables", now === undefined ? undefined : { id: now.position.id, previous: settledPrevious.value, owner, hasAllSettings: hasAllSettings.value || pointsAtSetting(owner) });
  if (session === undefined || now === undefined) return null;
  const view = answer.value?.owner === owner ? answer.value : undefined;
  return (
    <div class="tables">
      <div class="choice">
        <label>
          {s.owner}{" "}
          <select
            value={selection.value.node}
            onChange={(event) => {
              selection.value = { node: event.currentTarget.value };
              pointedRow.value = undefined;
            }}
          >
            <option value="">{s.follow(ownerText(followed))}</option>
            {owners.map((name) => (
              <option key={name} value={name}>
                {ownerText(name)}
              </option>
            ))}
          </select>
        </label>
        {owner.startsWith("link/") ? null : (
          <label>
            <input type="checkbox" checked={hasAllSettings.value} onChange={(event) => (hasAllSettings.value = event.currentTarget.checked)} /> {s.all}
          </label>
        )}
      </div>
      {view === undefined ? answer.value === undefined ? <p class="note">{now.position.id === 0 ? s.noOwner : s.noTables}</p> : null : <TablesView view={view} nowNs={now.position.timeNs} />}
    </div>
  );
}

function ownerText(owner: string): string {
  return owner.startsWith("link/") ? t.value.topology.link(owner.slice("link/".length)) : owner;
}

/** A row that is pointed at is shown, even when settings are few. */
function pointsAtSetting(owner: string): boolean {
  return pointedRow.value?.owner === owner && pointedRow.value.table === "sysctls";
}

function TablesView({ view, nowNs }: { readonly view: HostTables; readonly nowNs: number }) {
  const s = t.value.tables;
  const root = useRef<HTMLDivElement>(null);
  const pointed = pointedRow.value?.owner === view.owner ? pointedRow.value : undefined;
  useEffect(() => {
    if (pointed === undefined) return;
    folded.value = new Map(folded.peek()).set(pointed.table, false);
    requestAnimationFrame(() => root.current?.querySelector(".pointed")?.scrollIntoView({ block: "center" }));
  }, [pointed]);
  const byName = new Map(view.tables.map((table) => [table.name, table]));
  const empty = TABLE_ORDER.filter((name) => byName.get(name)?.rows.length === 0);
  return (
    <div ref={root} data-record={view.id}>
      {view.elsewhere.length === 0 ? null : (
        <p class="elsewhere">
          {s.elsewhere}:{" "}
          {view.elsewhere.map(({ owner, tables }) => (
            <button key={owner} type="button" onClick={() => showRow({ owner, table: tables[0] ?? "links", key: "" })}>
              ▲ {ownerText(owner)}: {tables.map((name) => s.names[name]).join(", ")}
            </button>
          ))}
        </p>
      )}
      {TABLE_ORDER.map((name) => {
        if (name === "sysctls") {
          if (view.inForce.length + view.settings.length === 0) return null;
          const changes = [...view.inForce, ...view.settings].filter(({ before }) => before !== undefined).length;
          return (
            <Part key={name} name={name} count={view.inForce.length + view.settings.length} changes={changes}>
              <SettingsTables inForce={view.inForce} settings={view.settings} pointedKey={pointed?.table === name ? pointed.key : undefined} />
            </Part>
          );
        }
        const table = byName.get(name);
        if (table === undefined || table.rows.length === 0) return null;
        return (
          <Part key={name} name={name} count={table.total} changes={table.rows.filter(({ change }) => change !== undefined).length}>
            <RowTable table={table} view={view} nowNs={nowNs} pointedKey={pointed?.table === name ? pointed.key : undefined} />
          </Part>
        );
      })}
      {empty.length === 0 ? null : (
        <p class="muted">
          {s.empty}: {empty.map((name) => s.names[name]).join(", ")}
        </p>
      )}
    </div>
  );
}

interface PartProps {
  readonly name: TableName;
  readonly count: number;
  readonly changes: number;
  readonly children: ComponentChildren;
}

function Part({ name, count, changes, children }: PartProps) {
  const s = t.value.tables;
  return (
    <details
      open={isOpen(name)}
      data-table={name}
      onToggle={(event) => {
        if (event.currentTarget.open !== isOpen(name)) folded.value = new Map(folded.value).set(name, !event.currentTarget.open);
      }}
    >
      <summary>
        {s.names[name]} <span class="muted">{s.rows(String(count))}</span> {changes === 0 ? null : <span class="tag glow">▲ {s.changedRows(String(changes))}</span>}
      </summary>
      <div class="scroll">{children}</div>
    </details>
  );
}

interface RowTableProps {
  readonly table: ShownTable;
  readonly view: HostTables;
  readonly nowNs: number;
  readonly pointedKey: string | undefined;
}

function RowTable({ table, view, nowNs, pointedKey }: RowTableProps) {
  const s = t.value.tables;
  const columns = COLUMNS[table.name] ?? [];
  const isNeighbours = table.name === "neighbours";
  return (
    <>
      <table>
        <thead>
          <tr>
            {columns.map(({ name, isNumber }) => (
              <th key={name} scope="col" class={isNumber ? "number" : ""}>
                {s.columns[name]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {table.rows.map((shown) => {
            const learned = isNeighbours ? view.learned[shown.key] : undefined;
            return (
              <Fragment key={shown.key}>
                <RowView shown={shown} columns={columns} nowNs={nowNs} isPointed={shown.key === pointedKey} />
                {learned === undefined ? null : (
                  <tr class="learned">
                    <td colSpan={columns.length}>
                      <span class="muted">↳ {s.byRecord}</span> <RecordLink record={learned} />
                    </td>
                  </tr>
                )}
              </Fragment>
            );
          })}
        </tbody>
      </table>
      {table.total > table.rows.length ? <p class="muted">{s.more(String(table.total - table.rows.length))}</p> : null}
    </>
  );
}

interface RowViewProps {
  readonly shown: ShownRow;
  readonly columns: readonly Column[];
  readonly nowNs: number;
  readonly isPointed: boolean;
}

function RowView({ shown: { key, row, change, before }, columns, nowNs, isPointed }: RowViewProps) {
  const s = t.value.tables;
  return (
    <tr class={`${change === undefined ? "" : `glow ${change}`}${isPointed ? " pointed" : ""}`} data-key={key}>
      {columns.map((column, at) => {
        const old = change === "changed" ? textBefore(column, row, before, nowNs) : undefined;
        const text = column.text(row, nowNs);
        const badges =
          at > 0 ? null : (
            <>
              {change === undefined || change === "changed" ? null : <span class="tag">{change === "new" ? "+" : "−"} {s.changes[change]}</span>}
              {isPointed ? <span class="tag">◀ {s.decidedHere}</span> : null}
            </>
          );
        return (
          <td key={column.name} class={`${column.isNumber ? "number" : ""}${old === undefined ? "" : " changed"}`} title={old === undefined ? undefined : s.was(old)}>
            {old === undefined ? text : `▲ ${text}`} {old === undefined ? null : <span class="was">(← {old})</span>}
            {badges}
          </td>
        );
      })}
    </tr>
  );
}
