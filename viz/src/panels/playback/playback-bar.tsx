/**
 * Playback: play and pause, steps both ways, the pace, jumps to a time or a host.
 */

import { useSignal } from "@preact/signals";
import { NS_PER_SECOND } from "../../../../src/base/time.ts";
import { DELAYS_MS, isPlaying, type Pace, pace, pause, playUnit, SCALES, togglePlay } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { current, goTo, goToTime, moment, selection, step } from "../../state/store.ts";
import { Icon } from "../../app/icon.tsx";
import { formatTime } from "../../state/format.ts";
import "./playback-bar.css";

const UNITS = ["frame", "record", "match"] as const;

export function Playback() {
  const s = t.value.playback;
  const session = current.value;
  if (session === undefined) return null;
  const { info } = session;
  const id = moment.value?.position.id ?? 0;
  const move = (act: () => Promise<void>) => () => {
    pause();
    void act();
  };
  return (
    <div class="playback" role="toolbar" aria-label={s.label}>
      <button type="button" class="icon" aria-label={s.first} title={`${s.first} (Home)`} onClick={move(() => goTo(info.firstId))}>
        <Icon name="first" />
      </button>
      <button type="button" class="icon" aria-label={s.stepBack} title={`${s.stepBack} (←)`} onClick={move(() => step(-1, playUnit.value))}>
        <Icon name="backStep" />
      </button>
      <button
        type="button"
        class="icon play"
        aria-pressed={isPlaying.value}
        aria-label={isPlaying.value ? s.pause : s.play}
        title={`${isPlaying.value ? s.pause : s.play} (Space)`}
        onClick={togglePlay}
      >
        <Icon name={isPlaying.value ? "pause" : "play"} />
      </button>
      <button type="button" class="icon" aria-label={s.stepOn} title={`${s.stepOn} (→)`} onClick={move(() => step(1, playUnit.value))}>
        <Icon name="on" />
      </button>
      <button type="button" class="icon" aria-label={s.last} title={`${s.last} (End)`} onClick={move(() => goTo(info.recordCount))}>
        <Icon name="last" />
      </button>
      <select aria-label={s.unit} title={s.unit} value={playUnit.value} onChange={(event) => (playUnit.value = event.currentTarget.value as (typeof UNITS)[number])}>
        {UNITS.map((unit) => (
          <option key={unit} value={unit}>
            {s.units[unit]}
          </option>
        ))}
      </select>
      <select aria-label={s.pace} title={s.pace} value={paceKey(pace.value)} onChange={(event) => (pace.value = paceOf(event.currentTarget.value))}>
        {DELAYS_MS.map((delayMs) => (
          <option key={delayMs} value={`event ${delayMs}`}>
            {s.perEvent(String(delayMs / 1000))}
          </option>
        ))}
        {SCALES.map((factor) => (
          <option key={factor} value={`scale ${factor}`}>
            {s.scale(String(factor))}
          </option>
        ))}
      </select>
      <TimeField />
      <select
        aria-label={s.nextAt}
        title={s.nextAt}
        value=""
        onChange={(event) => {
          const host = event.currentTarget.value;
          event.currentTarget.value = "";
          if (host === "") return;
          pause();
          selection.value = { node: host };
          void step(1, "host", host);
        }}
      >
        <option value="">{s.anyHost}</option>
        {info.header.hosts.map(({ name }) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
      <output class="count muted" aria-live="off" data-record={id}>
        {s.position(id.toLocaleString("en"), info.recordCount.toLocaleString("en"))}
      </output>
    </div>
  );
}

function paceKey(value: Pace): string {
  return value.type === "event" ? `event ${value.delayMs}` : `scale ${value.factor}`;
}

function paceOf(key: string): Pace {
  const [type, number] = key.split(" ");
  return type === "event" ? { type, delayMs: Number(number) } : { type: "scale", factor: Number(number) };
}

/** The time of the position; a time typed here is gone to. */
function TimeField() {
  const s = t.value.playback;
  const typed = useSignal<string | undefined>(undefined);
  const isWrong = useSignal(false);
  const originNs = current.value?.info.originNs ?? 0;
  const shown = formatTime((moment.value?.position.timeNs ?? 0) - originNs);
  const go = () => {
    if (typed.value === undefined) return;
    const text = typed.value.trim().replace(",", ".").replace(/\s*s$/, "");
    if (!/^-?\d+(?:\.\d*)?$/.test(text)) {
      isWrong.value = true;
      return;
    }
    pause();
    void goToTime(originNs + Number(text) * NS_PER_SECOND);
    typed.value = undefined;
  };
  return (
    <label class="at">
      <input
        type="text"
        class={isWrong.value ? "mono wrong" : "mono"}
        inputMode="decimal"
        aria-label={s.runTo}
        aria-invalid={isWrong.value}
        title={isWrong.value ? s.badTime : s.runTo}
        value={typed.value ?? shown}
        onFocus={(event) => event.currentTarget.select()}
        onInput={(event) => {
          typed.value = event.currentTarget.value;
          isWrong.value = false;
        }}
        onBlur={() => {
          typed.value = undefined;
          isWrong.value = false;
        }}
        onKeyDown={(event) => {
          if (event.key === "Enter") go();
        }}
      />
      <span class="muted">{s.seconds}</span>
    </label>
  );
}
