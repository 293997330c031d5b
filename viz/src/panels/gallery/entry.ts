/**
 * One scenario of the gallery's list.
 */

export interface GalleryEntry {
  /** Below scenarios/. */
  readonly path: string;
  /** Of its text: a new text has a new address. */
  readonly version: string;
  /** Number of the lesson, or empty. */
  readonly id: string;
  readonly title: string;
  /** What the lesson shows, else how the description begins. */
  readonly summary: string;
  /** Folder, or `other`. */
  readonly group: string;
  readonly modes: readonly ("NAT" | "DR" | "TUN")[];
  readonly schedulers: readonly string[];
  readonly hostCount: number;
}

/** Scenarios of one folder. */
export interface GalleryGroup {
  readonly name: string;
  readonly entries: readonly GalleryEntry[];
}

/** From the simple to the special; folders that are not here come before the last two. */
const ORDER = ["working", "documents", "arp", "arp-requests", "addresses", "nat", "netfilter", "tun", "failover", "connections", "schedulers"];
const LAST = ["selftest", "other"];

/** The folders in the order in which one learns, their scenarios by number and path. */
export function groupsOf(entries: readonly GalleryEntry[]): readonly GalleryGroup[] {
  const rank = (name: string) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length + 1 + LAST.indexOf(name));
  const byName = new Map<string, GalleryEntry[]>();
  for (const entry of entries) byName.set(entry.group, [...(byName.get(entry.group) ?? []), entry]);
  return [...byName]
    .sort(([a], [b]) => rank(a) - rank(b) || (a < b ? -1 : 1))
    .map(([name, own]) => ({ name, entries: own.toSorted((a, b) => compareTexts(a.id || "~", b.id || "~") || compareTexts(a.path, b.path)) }));
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** True when every word is somewhere in what the entry shows or in `more`. */
export function hasWords({ id, title, summary, path, modes, schedulers }: GalleryEntry, more: string, words: string): boolean {
  const text = `${id} ${title} ${summary} ${path} ${modes.join(" ")} ${schedulers.join(" ")} ${more}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}
