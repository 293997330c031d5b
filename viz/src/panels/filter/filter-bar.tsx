/**
 * The display filter: one line, checked as it is typed.
 */

import { useSignal, useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { filter, filterCheck, step } from "../../state/store.ts";
import "./filter-bar.css";

const PAUSE_MS = 200;

export function FilterBar() {
  const s = t.value.filter;
  const typed = useSignal(filter.value);
  const set = filter.value;
  // What was typed here last and has been applied: only a filter that comes from elsewhere replaces what stands in the field, where typing may have gone on.
  const applied = useRef(filter.value);
  const apply = () => {
    applied.current = typed.value;
    filter.value = typed.value;
  };
  // At once, not after the next painting: by then more may have been typed.
  useSignalEffect(() => {
    const now = filter.value;
    if (now === applied.current) return;
    applied.current = now;
    typed.value = now;
  });
  useEffect(() => {
    if (typed.value === set) return;
    const timer = setTimeout(apply, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed.value, set]);
  const check = filterCheck.value;
  const problem = check?.problem;
  const isOn = set.trim() !== "";
  const go = (direction: 1 | -1) => {
    pause();
    apply();
    void step(direction, "match");
  };
  return (
    <search class="filter" aria-label={s.label}>
      <input
        id="filter"
        type="text"
        class={problem === undefined ? "mono" : "mono wrong"}
        aria-label={s.label}
        aria-invalid={problem !== undefined}
        aria-describedby="filter-said"
        placeholder={s.placeholder}
        value={typed.value}
        autocomplete="off"
        spellcheck={false}
        maxLength={1000}
        onInput={(event) => (typed.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter") return;
          event.preventDefault();
          go(event.shiftKey ? -1 : 1);
        }}
      />
      <span id="filter-said" role="status" class={problem === undefined ? "said muted" : "said problem"}>
        {problem !== undefined ? problem.message : isOn ? (check === undefined ? "…" : s.matches(check.count.toLocaleString("en"))) : ""}
      </span>
      <button type="button" class="quiet icon" disabled={!isOn} aria-label={s.previous} title={`${s.previous} (N)`} onClick={() => go(-1)}>
        ◂
      </button>
      <button type="button" class="quiet icon" disabled={!isOn} aria-label={s.next} title={`${s.next} (n)`} onClick={() => go(1)}>
        ▸
      </button>
      <button type="button" class="quiet icon" disabled={!isOn} aria-label={s.clear} title={s.clear} onClick={() => (filter.value = "")}>
        ×
      </button>
    </search>
  );
}
