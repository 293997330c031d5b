/**
 * The gallery of scenarios by families, and the place for files of one's own.
 */

import { signal } from "@preact/signals";
import { gallery } from "virtual:gallery";
import { openFile } from "../../app/open-file.ts";
import type { Strings } from "../../i18n/en.ts";
import { t } from "../../state/preferences.ts";
import { current, openSource, view } from "../../state/store.ts";
import { score, tally } from "../learn/score.ts";
import { type GalleryEntry, type GalleryGroup, groupsOf, hasWords } from "./entry.ts";
import { fetchSearchWords, scenarioText, searchWords } from "./texts.ts";
import "./gallery.css";

const MODES = ["NAT", "DR", "TUN"] as const;
const GROUPS = groupsOf(gallery);

// What somebody looked for is there when they come back.
const words = signal("");
const mode = signal("");
const group = signal("");

export async function openEntry({ path }: GalleryEntry): Promise<void> {
  const text = await scenarioText(path);
  if (text === undefined) return;
  await openSource({ kind: "scenario", file: path, text, seed: undefined, inputs: [] });
}

export function Gallery() {
  const s = t.value.gallery;
  const more = searchWords.value;
  const found = GROUPS.map(({ name, entries }) => ({
    name,
    entries: entries.filter((entry) => (mode.value === "" || entry.modes.includes(mode.value as "NAT")) && hasWords(entry, more[entry.path] ?? "", words.value)),
  }));
  const shown = found.filter(({ name, entries }) => entries.length > 0 && (group.value === "" || name === group.value));
  const count = shown.reduce((sum, { entries }) => sum + entries.length, 0);
  return (
    <main class="gallery">
      <div class="gallery-bar">
        <h2>{s.title}</h2>
        <input
          type="search"
          id="gallery-search"
          aria-label={s.search}
          placeholder={s.search}
          value={words.value}
          maxLength={200}
          onFocus={() => void fetchSearchWords()}
          onInput={(event) => {
            void fetchSearchWords();
            words.value = event.currentTarget.value;
          }}
        />
        <label class="choice">
          <span>{s.mode}</span>
          <select value={mode.value} onChange={(event) => (mode.value = event.currentTarget.value)}>
            <option value="">{s.all}</option>
            {MODES.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
        <span class="muted" role="status">
          {s.count(count)}
        </span>
        <span class="spacer" />
        {current.value === undefined ? null : (
          <button type="button" onClick={() => (view.value = "lab")}>
            {s.back}
          </button>
        )}
      </div>
      <FilePlace />
      <div class="families">
        <Families found={found} />
        <div class="groups">
          {shown.length === 0 ? <p class="note">{s.none}</p> : null}
          {shown.map((one) => (
            <Group key={one.name} group={one} />
          ))}
        </div>
      </div>
    </main>
  );
}

function FilePlace() {
  const s = t.value.gallery;
  return (
    <p class="drop">
      {s.drop}{" "}
      <label class="file">
        {s.choose}
        <input
          type="file"
          class="visually-hidden"
          accept=".yaml,.yml,.jsonl,.ndjson,.txt"
          onChange={(event) => {
            const file = event.currentTarget.files?.[0];
            event.currentTarget.value = "";
            if (file !== undefined) void openFile(file);
          }}
        />
      </label>
    </p>
  );
}

/** The families at the left, each with how many of its scenarios are found. */
function Families({ found }: { readonly found: readonly GalleryGroup[] }) {
  const s = t.value.gallery;
  const all = found.reduce((sum, { entries }) => sum + entries.length, 0);
  return (
    <nav aria-label={s.lesson}>
      <ul>
        {[{ name: "", count: all }, ...found.map(({ name, entries }) => ({ name, count: entries.length }))].map(({ name, count }) => (
          <li key={name}>
            <button type="button" class="quiet" aria-pressed={group.value === name} disabled={count === 0 && group.value !== name} onClick={() => (group.value = name)}>
              <span>{name === "" ? s.allFamilies : groupName(s, name)}</span> <span class="muted">{count}</span>
            </button>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Group({ group: { name, entries } }: { readonly group: GalleryGroup }) {
  const s = t.value.gallery;
  return (
    <section aria-labelledby={`family-${name}`}>
      <h3 id={`family-${name}`}>
        {groupName(s, name)} <span class="muted">{s.about[name as keyof typeof s.about] ?? ""}</span>
      </h3>
      <ul class="cards">
        {entries.map((entry) => (
          <li key={entry.path}>
            <Card entry={entry} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function Card({ entry }: { readonly entry: GalleryEntry }) {
  const s = t.value.gallery;
  const { right, answered } = tally(score.value, entry.path);
  return (
    <button type="button" class="card" data-path={entry.path} title={entry.path} onClick={() => void openEntry(entry)}>
      <span class="card-title">
        {entry.id === "" ? null : <span class="mono muted">{entry.id}</span>} {entry.title}
      </span>
      <span class="tags">
        {entry.modes.map((one) => (
          <span key={one} class={`tag ${one.toLowerCase()}`}>
            {one}
          </span>
        ))}
        {entry.schedulers.slice(0, SCHEDULERS_SHOWN).map((one) => (
          <span key={one} class="tag">
            {one}
          </span>
        ))}
        {entry.schedulers.length > SCHEDULERS_SHOWN ? <span class="muted">+{entry.schedulers.length - SCHEDULERS_SHOWN}</span> : null}
        <span class="muted">{s.hosts(entry.hostCount)}</span>
        {answered === 0 ? null : <span class="tag answered">✓ {t.value.learn.score(right, answered)}</span>}
      </span>
      <span class="card-text">{entry.summary}</span>
    </button>
  );
}

const SCHEDULERS_SHOWN = 4;

export function groupName(s: Strings["gallery"], name: string): string {
  return s.lessons[name as keyof typeof s.lessons] ?? name;
}
