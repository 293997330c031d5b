/**
 * The gallery's list, made at build time from scenarios/: what each file is about, without its text, which is fetched when it is opened.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import type { Plugin } from "vite";
import { parse } from "yaml";
import type { GalleryEntry } from "./src/panels/gallery/entry.ts";

const ROOT = join(import.meta.dirname, "..", "scenarios");
const VIRTUAL = "virtual:gallery";
const SEARCH_CHARS_MAX = 600;

export function galleryPlugin(): Plugin {
  return {
    name: "gallery",
    resolveId: (id) => (id === VIRTUAL ? `\0${VIRTUAL}` : undefined),
    load: (id) => (id === `\0${VIRTUAL}` ? `export const gallery = ${JSON.stringify(entries())};` : undefined),
  };
}

function entries(): GalleryEntry[] {
  return readdirSync(ROOT, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && one.name.endsWith(".yaml"))
    .map((one) => relative(ROOT, join(one.parentPath, one.name)).replaceAll("\\", "/"))
    .sort()
    .map(entryOf);
}

function entryOf(path: string): GalleryEntry {
  const text = readFileSync(join(ROOT, path), "utf8");
  const raw = parse(text) as { title?: string; source?: string; description?: string; lesson?: unknown; hosts?: object };
  const description = (raw.description ?? "").replaceAll(/\s+/g, " ").trim();
  return {
    path,
    title: raw.title ?? path,
    source: raw.source ?? "",
    description: description.slice(0, SEARCH_CHARS_MAX),
    group: raw.lesson === undefined ? (path.split("/")[0] ?? "other") : "lessons",
    modes: modesIn(text),
    schedulers: [...new Set([...text.matchAll(/(?:\s-s|--scheduler|lb_algo|lvs_sched)\s+(rr|wrr|lc|wlc|lblcr?|sh|dh|sed|nq|mh|fo|ovf|twos)\b/g)].map((match) => match[1] as string))],
    hostCount: Object.keys(raw.hosts ?? {}).length,
  };
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
