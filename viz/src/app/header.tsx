/**
 * The header: where one is, the runs that are open, preferences.
 */

import { useSignal } from "@preact/signals";
import { currentLink } from "../state/address-bar.ts";
import { language, type Theme, t, theme } from "../state/preferences.ts";
import { closeSession, current, currentId, sessions, switchTo, view } from "../state/store.ts";
import { isHelpOpen } from "./help-dialog.tsx";

const THEMES: readonly Theme[] = ["system", "light", "dark"];

export function Header() {
  const s = t.value.app;
  const session = current.value;
  return (
    <header class="header">
      <a class="skip" href="#stage" onClick={skipToStage}>
        {s.skipToStage}
      </a>
      <span class="brand">{s.title}</span>
      <button type="button" class="quiet" aria-pressed={view.value === "gallery"} onClick={() => toggleGallery()}>
        {s.gallery}
      </button>
      {session === undefined || view.value === "gallery" ? (
        <span class="title muted">{s.subtitle}</span>
      ) : (
        <>
          <h1 class="title" title={session.info.header.title}>
            {session.info.header.title}
          </h1>
          <Runs />
          <span class="muted seed">{s.seed(session.info.header.seed)}</span>
        </>
      )}
      <span class="spacer" />
      <ShareButton />
      <label class="compact">
        <span class="visually-hidden">{s.theme}</span>
        <select value={theme.value} onChange={(event) => (theme.value = event.currentTarget.value as Theme)}>
          {THEMES.map((one) => (
            <option key={one} value={one}>
              {one === "system" ? s.themeSystem : one === "light" ? s.themeLight : s.themeDark}
            </option>
          ))}
        </select>
      </label>
      <label class="compact">
        <span class="visually-hidden">{s.language}</span>
        <select value={language.value} onChange={(event) => (language.value = event.currentTarget.value === "zh" ? "zh" : "en")}>
          <option value="en">English</option>
          <option value="zh" lang="zh-Hans">
            中文
          </option>
        </select>
      </label>
      <button type="button" class="quiet icon" aria-label={s.help} title={`${s.help} (?)`} onClick={() => (isHelpOpen.value = true)}>
        ?
      </button>
    </header>
  );
}

function skipToStage(event: Event): void {
  event.preventDefault();
  document.getElementById("stage")?.focus();
}

export function toggleGallery(): void {
  view.value = view.value === "gallery" && current.value !== undefined ? "lab" : "gallery";
}

/** `nat-10.168` of `documents/nat-10.168.yaml`. */
function fileName(file: string): string {
  return file.slice(file.lastIndexOf("/") + 1).replace(/\.ya?ml$/i, "");
}

/** Tabs of the runs, when there are several. */
function Runs() {
  const s = t.value.app;
  if (sessions.value.length < 2) return null;
  return (
    <div class="runs" role="tablist" aria-label={s.runs}>
      {sessions.value.map(({ info, source, parent, difference }, index) => {
        const kind = parent === 0 ? s.original : difference === "edited" ? s.edited : source.kind === "scenario" && source.inputs.length === 0 ? fileName(source.file) : s.fork;
        const name = `${index + 1} ${kind}`;
        return (
          <span class="run" key={info.id}>
            <button
              type="button"
              role="tab"
              aria-selected={info.id === currentId.value}
              title={difference === "edited" ? kind : difference || kind}
              onClick={() => void switchTo(info.id)}
            >
              {name}
            </button>
            {parent === 0 ? null : (
              <button type="button" class="quiet icon" aria-label={s.closeRun(name)} onClick={() => closeSession(info.id)}>
                ×
              </button>
            )}
          </span>
        );
      })}
    </div>
  );
}

const SHOWN_MS = 4000;

function ShareButton() {
  const s = t.value.app;
  const said = useSignal("");
  if (current.value === undefined || view.value === "gallery") return null;
  const share = async () => {
    const link = await currentLink();
    if (link === undefined) said.value = s.shareTrace;
    else {
      history.replaceState(null, "", link);
      said.value = await navigator.clipboard.writeText(link).then(
        () => s.shared,
        () => s.shareFailed,
      );
    }
    setTimeout(() => {
      said.value = "";
    }, SHOWN_MS);
  };
  return (
    <span class="share">
      <button type="button" class="quiet" onClick={() => void share()}>
        {s.share}
      </button>
      <span role="status" class={said.value === "" ? "visually-hidden" : "bubble"}>
        {said.value}
      </span>
    </span>
  );
}
