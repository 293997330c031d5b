/**
 * Whose MAC address it is: people know hosts, not six pairs of digits.
 */

import { computed } from "@preact/signals";
import { current } from "../../state/store.ts";

const owners = computed(() => new Map(current.value?.info.header.hosts.flatMap(({ name, interfaces }) => interfaces.map((one): [string, string] => [one.mac, `${name}.${one.name}`])) ?? []));

/** `02:00:00:00:00:04 (node03.ens33)`; other values stay as they are. */
export function withOwner(value: string): string {
  const owner = owners.value.get(value);
  return owner === undefined ? value : `${value} (${owner})`;
}
