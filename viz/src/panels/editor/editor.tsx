/**
 * The scenario's text: completion, what is wrong at its line while one types, rerun in place.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { FailurePlace } from "../../engine/protocol.ts";
import type { KeyTree } from "../../engine/queries/words.ts";
import { t } from "../../state/preferences.ts";
import { ask, current, moment, rerun, shownFailure } from "../../state/store.ts";
import { CodeView } from "./code-view.ts";
import { suggestionsAt } from "./suggestions.ts";
import { placeAt } from "./yaml-place.ts";
import "./editor.css";

const CHECK_AFTER_MS = 300;
const PLACES_SHOWN = 3;

/** What is being written, and the text that it began with; both empty: nothing yet. */
const draft = signal("");
const base = signal("");
const problems = signal<readonly FailurePlace[]>([]);
let keys: KeyTree | undefined;

export function Panel() {
  const s = t.value.editor;
  const session = current.value;
  const element = useRef<HTMLDivElement>(null);
  const code = useRef<CodeView | undefined>(undefined);
  const text = session?.info.scenarioText ?? undefined;
  const isChanged = text !== undefined && draft.value !== text;
  const label = s.label;
  useEffect(() => {
    // A text that nobody has changed follows the run in view.
    if (text === undefined || (draft.peek() !== base.peek() && draft.peek() !== text)) return;
    base.value = text;
    draft.value = text;
    code.current?.load(text);
    problems.value = [];
  }, [text]);
  const isThere = text !== undefined;
  useEffect(() => {
    if (element.current === null || !isThere) return;
    const view = new CodeView(element.current, draft.peek(), {
      label,
      onChange: (changed) => (draft.value = changed),
      onRun: () => void run(),
      suggest: async (whole, position) => {
        keys ??= await ask("scenarioKeys", {});
        const place = placeAt(whole, position);
        const host = place.path[0] === "hosts" ? (place.path[1] ?? "") : place.host;
        return suggestionsAt(whole, position, keys, await ask("typingWords", { id: moment.value?.position.id ?? 0, host }));
      },
    });
    code.current = view;
    return () => {
      view.dispose();
      code.current = undefined;
    };
  }, [label, isThere]);
  const now = draft.value;
  useEffect(() => {
    if (session === undefined || now === "") return;
    const timer = setTimeout(() => {
      void ask("checkScenario", { text: now, file: session.source.file }).then(
        (places) => {
          if (draft.peek() === now) problems.value = places;
        },
        () => undefined,
      );
    }, CHECK_AFTER_MS);
    return () => clearTimeout(timer);
  }, [now, session]);
  const places = problems.value;
  useEffect(() => code.current?.mark(places), [places]);
  if (session === undefined) return null;
  if (!isThere) return <p class="note">{s.noText}</p>;
  return (
    <div class="editor">
      <div class="bar">
        <button type="button" class="primary" onClick={() => void run()} title={s.runKeys}>
          {s.run}
        </button>
        <button
          type="button"
          disabled={!isChanged}
          onClick={() => {
            base.value = text;
            draft.value = text;
            code.current?.load(text);
          }}
        >
          {s.revert}
        </button>
        <span class="muted">{isChanged ? s.changed : s.same}</span>
      </div>
      <div class="code takes-keys" ref={element} />
      <ul class="problems" role="status" aria-label={s.problems}>
        {places.slice(0, PLACES_SHOWN).map((place) => (
          <li key={`${place.line} ${place.column} ${place.message}`}>
            <button type="button" class="quiet" onClick={() => code.current?.goToLine(place.line)}>
              {t.value.failure.line(place.line)}
            </button>{" "}
            {place.message}
            {place.remedy === "" ? "" : `; ${place.remedy}`}
          </li>
        ))}
        {places.length > PLACES_SHOWN ? <li>{s.more(places.length - PLACES_SHOWN)}</li> : null}
      </ul>
    </div>
  );
}

async function run(): Promise<void> {
  const text = draft.value;
  const opened = await rerun(text);
  if (opened === undefined) problems.value = shownFailure.value?.failure.places ?? [];
  else base.value = text;
}
