/**
 * A terminal per host. A line that is typed runs at the instant in view: the run forks there, the original stays.
 */

import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { INTERRUPT } from "../../engine/protocol.ts";
import { isPlaying, pause } from "../../state/playback.ts";
import { isDark, t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { ask, current, goToTime, moment, selection, sessions, switchTo, typeLine } from "../../state/store.ts";
import { commonStart, complete } from "./completion.ts";
import { HostScreen } from "./host-screen.ts";
import { type Transcript, transcriptOf } from "./transcript.ts";
import "./terminal.css";

/** A line that takes no longer has nothing to watch. */
const INSTANT_NS = 1000;

const chosenHost = signal("");
/** A line that takes time is watched; otherwise the page goes to its end. */
const isWatched = signal(false);
/** What was typed and not sent yet, by host. */
const drafts = new Map<string, string>();

export function Panel() {
  const s = t.value.terminal;
  const session = current.value;
  const now = moment.value;
  const hosts = session?.info.header.hosts.map(({ name }) => name) ?? [];
  const selected = selection.value.node;
  const isSelected = hosts.includes(selected);
  useEffect(() => {
    if (isSelected) chosenHost.value = selected;
  }, [isSelected, selected]);
  const host = hosts.includes(chosenHost.value) ? chosenHost.value : (hosts[0] ?? "");
  const outputs = useQuery("hostOutputs", session === undefined ? undefined : { host });
  if (session === undefined || now === undefined) return null;
  const canType = session.source.kind === "scenario";
  const transcript =
    outputs.value === undefined
      ? undefined
      : transcriptOf({ outputs: outputs.value, host, nowNs: now.position.timeNs, originNs: session.info.originNs, bootTitle: s.boot });
  const parent = sessions.value.find(({ info }) => info.id === session.parent);
  return (
    <div class="terminals">
      <div class="bar">
        <div role="tablist" aria-label={s.hosts}>
          {hosts.map((name) => (
            <button
              key={name}
              type="button"
              role="tab"
              id={`terminal-of-${name}`}
              aria-selected={name === host}
              tabIndex={name === host ? 0 : -1}
              onClick={() => (chosenHost.value = name)}
              onKeyDown={(event) => moveAmong(event, hosts, name)}
            >
              {name}
            </button>
          ))}
        </div>
        <span role="status" class="said muted">
          {canType ? (transcript?.isBusy === true ? s.busy : s.forks) : s.traceOnly}
        </span>
        <label class="compact">
          <input type="checkbox" checked={isWatched.value} onChange={(event) => (isWatched.value = event.currentTarget.checked)} /> {s.watch}
        </label>
        {parent === undefined ? null : (
          <button type="button" onClick={() => void switchTo(parent.info.id)}>
            {s.original}
          </button>
        )}
      </div>
      <Screen key={host} host={host} transcript={transcript} canType={canType} />
    </div>
  );
}

function moveAmong(event: KeyboardEvent, hosts: readonly string[], name: string): void {
  const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (by === 0) return;
  event.preventDefault();
  const next = hosts[(hosts.indexOf(name) + by + hosts.length) % hosts.length] as string;
  chosenHost.value = next;
  document.getElementById(`terminal-of-${next}`)?.focus();
}

interface ScreenProps {
  readonly host: string;
  readonly transcript: Transcript | undefined;
  readonly canType: boolean;
}

function Screen({ host, transcript, canType }: ScreenProps) {
  const element = useRef<HTMLDivElement>(null);
  const screen = useRef<HostScreen | undefined>(undefined);
  const label = t.value.terminal.label(host);
  const dark = isDark.value;
  useEffect(() => {
    if (element.current === null) return;
    const made = new HostScreen(element.current, {
      onLine: (text) => runLine(host, text),
      onInterrupt: () => runLine(host, INTERRUPT),
      onComplete: (one) => completeLine(one, host),
      isOpen: (text) => ask("isLineOpen", { text }),
    });
    made.editor.set(drafts.get(host) ?? "");
    screen.current = made;
    return () => {
      drafts.set(host, made.editor.text);
      made.dispose();
      screen.current = undefined;
    };
  }, [host]);
  useEffect(() => screen.current?.setLabel(label), [label]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme, other colours
  useEffect(() => {
    // The page's colours change with the attribute, which is set by an effect of its own.
    const frame = requestAnimationFrame(() => {
      if (element.current !== null) screen.current?.setTheme(element.current);
    });
    return () => cancelAnimationFrame(frame);
  }, [dark]);
  useEffect(() => screen.current?.allow(canType), [canType]);
  useEffect(() => {
    if (transcript !== undefined) screen.current?.show(transcript);
  });
  return <div class="screen takes-keys" ref={element} data-host={host} />;
}

/** Runs the line at this instant and goes to where its output is. */
async function runLine(host: string, line: string): Promise<void> {
  pause();
  const opened = await typeLine(host, line);
  if (opened === undefined) return;
  const said = await ask("hostOutputs", { host }, opened.info.id);
  const own = said.findLast(({ origin }) => origin === "input");
  if (own === undefined) return;
  const { startNs, endNs = opened.info.endNs } = own;
  if (isWatched.value && endNs - startNs > INSTANT_NS) {
    await goToTime(startNs);
    isPlaying.value = true;
  } else await goToTime(endNs);
}

async function completeLine(screen: HostScreen, host: string): Promise<void> {
  const { editor } = screen;
  const { text, cursor } = editor;
  const words = await ask("typingWords", { id: moment.value?.position.id ?? 0, host });
  if (editor.text !== text || editor.cursor !== cursor) return;
  const { from, candidates } = complete(text, cursor, words);
  const start = commonStart(candidates);
  if (start.length > cursor - from) {
    const isWhole = candidates.length === 1 && !start.endsWith("/");
    editor.replaceWord(from, isWhole ? `${start} ` : start);
    screen.redraw();
  } else if (candidates.length > 1) screen.list(candidates);
}
