/**
 * The gallery: a list of scenarios/ made at build time, small enough for the first view; what the search looks through besides; and the
 * files themselves, which are fetched one by one.
 */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Plugin } from "vite";
import { parse } from "yaml";
import type { GalleryEntry } from "./src/panels/gallery/entry.ts";

const ROOT = join(import.meta.dirname, "..", "scenarios");
const LIST = "virtual:gallery";
const WORDS = "virtual:gallery-words";
/** Of a card. */
const SUMMARY_CHARS_MAX = 150;
const SEARCH_CHARS_MAX = 1200;

export function galleryPlugin(): Plugin {
  return {
    name: "gallery",
    resolveId: (id) => (id === LIST || id === WORDS ? `\0${id}` : undefined),
    load: (id) => {
      if (id === `\0${LIST}`) return `export const gallery = ${JSON.stringify(paths().map((path) => entryOf(path, read(path))))};`;
      if (id === `\0${WORDS}`) return `export const words = ${JSON.stringify(Object.fromEntries(paths().map((path) => [path, wordsOf(read(path))])))};`;
      return undefined;
    },
    generateBundle() {
      for (const path of paths()) this.emitFile({ type: "asset", fileName: `scenarios/${path}`, source: read(path) });
    },
    configureServer: (server) => {
      server.middlewares.use("/scenarios", (request, response, next) => {
        const path = decodeURIComponent((request.url ?? "").replace(/\?.*$/s, "")).slice(1);
        if (paths().includes(path)) response.setHeader("content-type", "text/yaml; charset=utf-8").end(read(path));
        else next();
      });
    },
  };
}

function paths(): string[] {
  return readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && one.name.endsWith(".yaml"))
    .map((one) => relative(ROOT, join(one.parentPath, one.name)).replaceAll("\\", "/"))
    .sort();
}

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

interface RawScenario {
  readonly title?: string;
  readonly source?: string;
  readonly description?: string;
  readonly lesson?: { readonly id?: string; readonly mode?: string; readonly teaches?: string; readonly finding?: string | readonly string[] } | null;
  readonly hosts?: object;
}

function entryOf(path: string, text: string): GalleryEntry {
  const raw = parse(text) as RawScenario;
  const mode = raw.lesson?.mode ?? "any";
  return {
    path,
    version: createHash("sha256").update(text).digest("hex").slice(0, 8),
    id: raw.lesson?.id ?? "",
    title: raw.title ?? path,
    summary: plain(raw.lesson?.teaches ?? raw.description ?? "", SUMMARY_CHARS_MAX),
    group: path.includes("/") ? (path.split("/")[0] as string) : "other",
    modes: mode === "any" ? modesIn(text) : [mode as GalleryEntry["modes"][number]],
    schedulers: [...new Set([...text.matchAll(/(?:\s-s|--scheduler|lb_algo|lvs_sched)\s+(rr|wrr|lc|wlc|lblcr?|sh|dh|sed|nq|mh|fo|ovf|twos)\b/g)].map((match) => match[1] as string))],
    hostCount: Object.keys(raw.hosts ?? {}).length,
  };
}

/** What the search finds a scenario by, besides what its card shows. */
function wordsOf(text: string): string {
  const { source = "", description = "", lesson } = parse(text) as RawScenario;
  return plain([source, lesson?.finding ?? [], description].flat().join(" "), SEARCH_CHARS_MAX).toLowerCase();
}

/** One line, without the signs of Markdown. */
function plain(markdown: string, charsMax: number): string {
  const line = markdown.replaceAll(/[*`]/g, "").replaceAll(/\s+/g, " ").trim();
  return line.length <= charsMax ? line : `${line.slice(0, charsMax - 1).replace(/\s\S*$/, "")}…`;
}

/** Forwarding methods that a file sets: options of `ipvsadm -a`, words of keepalived. */
function modesIn(text: string): GalleryEntry["modes"] {
  const dests = [...text.matchAll(/-[ae]\b.*?-r\s.*$/gm)].map(([line]) => line);
  const has = (option: RegExp, word: string) => dests.some((line) => option.test(line)) || new RegExp(`(?:lb_kind|lvs_method)\\s+${word}\\b`, "i").test(text);
  const modes: GalleryEntry["modes"][number][] = [];
  if (has(/\s(?:-\w*m|--masquerading)\b/, "NAT")) modes.push("NAT");
  if (has(/\s(?:-\w*i|--ipip)\b/, "TUN")) modes.push("TUN");
  if (has(/\s(?:-\w*g|--gatewaying)\b/, "DR") || (modes.length === 0 && dests.length > 0)) modes.push("DR");
  return modes;
}
