/**
 * The gallery of scenarios, and the place for files of one's own.
 */

import { useSignal } from "@preact/signals";
import { gallery } from "virtual:gallery";
import { openFile } from "../../app/open-file.ts";
import type { Strings } from "../../i18n/en.ts";
import { t } from "../../state/preferences.ts";
import { current, openSource, view } from "../../state/store.ts";
import type { GalleryEntry } from "./entry.ts";
import { scenarioText } from "./texts.ts";
import "./gallery.css";

const MODES = ["NAT", "DR", "TUN"] as const;
const GROUPS = [...new Set(gallery.map(({ group }) => group))];

export async function openEntry({ path }: GalleryEntry): Promise<void> {
  const text = await scenarioText(path);
  if (text === undefined) return;
  await openSource({ kind: "scenario", file: path, text, seed: undefined, inputs: [] });
}

export function Gallery() {
  const s = t.value.gallery;
  const words = useSignal("");
  const mode = useSignal("");
  const group = useSignal("");
  const shown = gallery.filter((entry) => (mode.value === "" || entry.modes.includes(mode.value as "NAT")) && (group.value === "" || entry.group === group.value) && hasWords(entry, words.value));
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
          onInput={(event) => (words.value = event.currentTarget.value)}
        />
        <Choice label={s.mode} value={mode} options={MODES.map((one) => [one, one])} all={s.all} />
        <Choice label={s.lesson} value={group} options={GROUPS.map((one) => [one, groupName(s, one)])} all={s.all} />
        <span class="muted" role="status">
          {s.count(shown.length)}
        </span>
        <span class="spacer" />
        {current.value === undefined ? null : (
          <button type="button" onClick={() => (view.value = "lab")}>
            {s.back}
          </button>
        )}
      </div>
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
      {shown.length === 0 ? <p class="note">{s.none}</p> : null}
      <ul class="cards">
        {shown.map((entry) => (
          <li key={entry.path}>
            <button type="button" class="card" data-path={entry.path} onClick={() => void openEntry(entry)}>
              <span class="card-title">{entry.title}</span>
              <span class="tags">
                {entry.modes.map((one) => (
                  <span key={one} class={`tag ${one.toLowerCase()}`}>
                    {one}
                  </span>
                ))}
                {entry.schedulers.map((one) => (
                  <span key={one} class="tag">
                    {one}
                  </span>
                ))}
                <span class="muted">{s.hosts(entry.hostCount)}</span>
              </span>
              <span class="card-text">{plainText(entry.description)}</span>
              <span class="muted mono card-path">{entry.path}</span>
            </button>
          </li>
        ))}
      </ul>
    </main>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: { value: string };
  readonly options: readonly (readonly [string, string])[];
  readonly all: string;
}

function Choice({ label, value, options, all }: ChoiceProps) {
  return (
    <label class="choice">
      <span>{label}</span>
      <select value={value.value} onChange={(event) => (value.value = event.currentTarget.value)}>
        <option value="">{all}</option>
        {options.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

function groupName(s: Strings["gallery"], group: string): string {
  return s.lessons[group as keyof typeof s.lessons] ?? group;
}

function hasWords(entry: GalleryEntry, words: string): boolean {
  const text = `${entry.title} ${entry.description} ${entry.path} ${entry.source} ${entry.modes.join(" ")} ${entry.schedulers.join(" ")}`.toLowerCase();
  return words
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word));
}

/** Markdown's signs are left out; the text stays text. */
function plainText(markdown: string): string {
  return markdown.replaceAll(/[*`]/g, "");
}
