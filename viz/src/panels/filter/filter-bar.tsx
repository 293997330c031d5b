/**
 * The display filter: one line, checked as it is typed.
 */

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { filter, filterCheck, step } from "../../state/store.ts";
import "./filter-bar.css";

const PAUSE_MS = 200;

export function FilterBar() {
  const s = t.value.filter;
  const typed = useSignal(filter.value);
  const set = filter.value;
  useEffect(() => {
    typed.value = set;
  }, [set, typed]);
  useEffect(() => {
    if (typed.value === set) return;
    const timer = setTimeout(() => {
      filter.value = typed.value;
    }, PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed.value, set]);
  const check = filterCheck.value;
  const problem = check?.problem;
  const isOn = set.trim() !== "";
  const go = (direction: 1 | -1) => {
    pause();
    filter.value = typed.value;
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
