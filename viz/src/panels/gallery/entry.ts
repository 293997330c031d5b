/**
 * One scenario of the gallery's list.
 */

export interface GalleryEntry {
  /** Below scenarios/. */
  readonly path: string;
  readonly title: string;
  readonly source: string;
  readonly description: string;
  /** Folder, or `lessons`. */
  readonly group: string;
  readonly modes: readonly ("NAT" | "DR" | "TUN")[];
  readonly schedulers: readonly string[];
  readonly hostCount: number;
}
