/**
 * The panels of the page, in the order of their tabs. To add one: a folder here with a component that takes no properties, a line below, its
 * name in the `name` of its section of every language. viz/README.md shows it step by step.
 */

import type { ComponentType } from "preact";
import type { Strings } from "../i18n/en.ts";

/** `stage`: the large middle; `side`: right; `dock`: below. */
export type Area = "stage" | "side" | "dock";

export interface PanelDefinition {
  readonly id: string;
  readonly area: Area;
  name(strings: Strings): string;
  /** Fetched when the panel is first shown. */
  load(): Promise<{ readonly Panel: ComponentType }>;
}

export const PANELS: readonly PanelDefinition[] = [
  { id: "topology", area: "stage", name: (t) => t.topology.name, load: () => import("./topology/topology.tsx") },
  { id: "ladder", area: "stage", name: (t) => t.ladder.name, load: () => import("./ladder/ladder.tsx") },
  { id: "charts", area: "stage", name: (t) => t.charts.name, load: () => import("./charts/charts.tsx") },
  { id: "inspector", area: "side", name: (t) => t.inspector.name, load: () => import("./inspector/inspector.tsx") },
  { id: "tables", area: "side", name: (t) => t.tables.name, load: () => import("./tables/tables.tsx") },
  { id: "compare", area: "stage", name: (t) => t.compare.name, load: () => import("./compare/compare.tsx") },
  { id: "whatif", area: "stage", name: (t) => t.whatif.name, load: () => import("./whatif/whatif.tsx") },
  { id: "learn", area: "side", name: (t) => t.learn.name, load: () => import("./learn/learn.tsx") },
  { id: "editor", area: "side", name: (t) => t.editor.name, load: () => import("./editor/editor.tsx") },
  { id: "takeaway", area: "side", name: (t) => t.takeaway.name, load: () => import("./takeaway/takeaway.tsx") },
  { id: "records", area: "dock", name: (t) => t.records.name, load: () => import("./records/records.tsx") },
  { id: "doctor", area: "dock", name: (t) => t.doctor.name, load: () => import("./doctor/doctor.tsx") },
  { id: "terminal", area: "dock", name: (t) => t.terminal.name, load: () => import("./terminal/terminal.tsx") },
];
