/**
 * What if a line were missing: every line of the set-up, and what its absence breaks. The lines come one by one, a run each.
 */

import { signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import type { WhatIfLine } from "../../engine/queries/why.ts";
import { t } from "../../state/preferences.ts";
import { engine } from "../../state/engine.ts";
import { current, sessions } from "../../state/store.ts";
import "./whatif.css";

interface Progress {
  readonly lines: readonly WhatIfLine[];
  readonly state: "waiting" | "running" | "done" | "failed";
}

const NONE: Progress = { lines: [], state: "waiting" };
const LINES_MAX = 400;

/** By session: what is known stays known. */
const known = signal<ReadonlyMap<number, Progress>>(new Map());

export function Panel() {
  const s = t.value.whatif;
  const session = current.value;
  const isOnlyBearing = useSignal(false);
  const id = session?.info.id ?? 0;
  const isVisible = useSignal(true);
  useEffect(() => {
    isVisible.value = true;
    return () => {
      isVisible.value = false;
    };
  }, [isVisible]);
  const { lines, state } = known.value.get(id) ?? NONE;
  if (session === undefined) return null;
  if (session.info.scenarioText === null) return <p class="note">{t.value.editor.noText}</p>;
  const shown = isOnlyBearing.value ? lines.filter(({ isLoadBearing }) => isLoadBearing) : lines;
  return (
    <div class="whatif">
      <div class="bar">
        {state === "running" ? (
          <span role="status">{s.running(String(lines.length))}</span>
        ) : state === "done" ? (
          <span role="status">{s.done(String(lines.length), String(lines.filter(({ isLoadBearing }) => isLoadBearing).length))}</span>
        ) : (
          <button type="button" class="primary" onClick={() => void ask(id, () => isVisible.value)}>
            {lines.length === 0 ? s.start : s.goOn}
          </button>
        )}
        <label>
          <input type="checkbox" checked={isOnlyBearing.value} onChange={(event) => (isOnlyBearing.value = event.currentTarget.checked)} /> {s.onlyBearing}
        </label>
      </div>
      {lines.length === 0 && state === "waiting" ? <p class="note">{s.hint}</p> : null}
      {state === "failed" ? <p class="note">{s.failed}</p> : null}
      <ol>
        {shown.map((line) => (
          <Line key={`${line.host} ${line.path} ${line.line} ${line.text}`} line={line} />
        ))}
      </ol>
    </div>
  );
}

function Line({ line: { host, text, line, path, isLoadBearing, effects } }: { readonly line: WhatIfLine }) {
  const s = t.value.whatif;
  return (
    <li class={isLoadBearing ? "bearing" : "idle"}>
      <div class="what">
        <strong>{host}</strong> <code class="mono">{text}</code> <span class="muted">{path === "" ? "" : `${path} `}{line === 0 ? "" : t.value.failure.line(line)}</span>{" "}
        {isLoadBearing ? <span class="tag">▲ {s.bears}</span> : <span class="muted">{s.canGo}</span>}
      </div>
      {effects.length === 0 ? null : (
        <ul>
          {effects.map((effect) => (
            <li key={effect}>{effect}</li>
          ))}
        </ul>
      )}
    </li>
  );
}

/** Asks for line after line until the last, or until nobody looks. */
async function ask(session: number, isWanted: () => boolean): Promise<void> {
  const note = (progress: Partial<Progress>) => {
    known.value = new Map(known.value).set(session, { ...(known.value.get(session) ?? NONE), ...progress });
  };
  note({ state: "running" });
  try {
    for (let index = known.value.get(session)?.lines.length ?? 0; index < LINES_MAX; index++) {
      if (!isWanted() || !sessions.value.some(({ info }) => info.id === session)) {
        note({ state: "waiting" });
        return;
      }
      const line = await engine.ask("whatIfLine", session, { index });
      if (line === undefined) break;
      note({ lines: [...(known.value.get(session)?.lines ?? []), line] });
    }
    note({ state: "done" });
  } catch {
    note({ state: "failed" });
  }
}
