/**
 * The addresses of every host at an instant, for the labels of the topology.
 */

import type { AddressRow, TableRows } from "../../../../src/trace/rows.ts";
import type { Session } from "../session.ts";

export interface HostAddress {
  readonly device: string;
  readonly label: string;
  /** With prefix length. */
  readonly address: string;
  /** On lo: a VIP that is not announced. */
  readonly isHidden: boolean;
}

export interface HostAddresses {
  /** Record after which they hold; the same number, the same addresses. */
  readonly since: number;
  readonly hosts: Readonly<Record<string, readonly HostAddress[]>>;
}

/** Addresses after record `since`, which `addressesSince` tells. */
export function hostAddresses(session: Session, { since }: { readonly since: number }): HostAddresses {
  const key = `addresses ${since}`;
  let known = session.cache.get(key) as HostAddresses | undefined;
  if (known === undefined) {
    const world = since === 0 ? {} : session.store.tables.afterRecord(since);
    known = { since, hosts: Object.fromEntries(session.header.hosts.map(({ name }) => [name, addressesIn(world[name])])) };
    session.cache.set(key, known);
  }
  return known;
}

/** The last record, at `id`, in which addresses changed; 0: none. */
export function addressesSince(session: Session, id: number): number {
  const changes = changeIds(session);
  // Rows stand behind the records that they belong to.
  const until = session.store.lastRowsAfter(Math.max(id, 1));
  let low = 0;
  let high = changes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((changes[middle] as number) <= until) low = middle + 1;
    else high = middle;
  }
  return changes[low - 1] ?? 0;
}

function changeIds(session: Session): readonly number[] {
  let ids = session.cache.get("addressChanges") as number[] | undefined;
  if (ids !== undefined) return ids;
  ids = [];
  let hasKeyframe = false;
  for (const event of session.store.records) {
    if (event.kind === "keyframe" && !hasKeyframe) {
      hasKeyframe = true;
      ids.push(event.id);
    }
    if (event.kind === "rows" && event.changes.some(({ table }) => table === "addresses")) ids.push(event.id);
  }
  session.cache.set("addressChanges", ids);
  return ids;
}

function addressesIn(tables: TableRows | undefined): HostAddress[] {
  const rows = Object.values<AddressRow>(tables?.addresses ?? {});
  return rows
    .filter(({ address }) => !address.startsWith("127."))
    .map(({ device, label, address, prefixLength }) => ({ device, label, address: `${address}/${prefixLength}`, isHidden: device === "lo" }));
}
