/**
 * What a person prefers, kept on their computer only: theme, language, sizes of the page's parts.
 */

import { computed, effect, signal } from "@preact/signals";
import { en, type Strings } from "../i18n/en.ts";
import { zh } from "../i18n/zh.ts";

export type Theme = "system" | "light" | "dark";
export type Language = "en" | "zh";

const KEY = "lvsim";

interface Kept {
  readonly theme?: Theme;
  readonly language?: Language;
  readonly sideWidth?: number;
  readonly dockHeight?: number;
}

const kept = read();

export const theme = signal<Theme>(kept.theme === "light" || kept.theme === "dark" ? kept.theme : "system");
export const language = signal<Language>(kept.language ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"));
export const sideWidth = signal(kept.sideWidth ?? 430);
export const dockHeight = signal(kept.dockHeight ?? 180);

/** The strings of the language in use: `t.value.transport.play`. */
export const t = computed<Strings>(() => (language.value === "zh" ? zh : en));

const darkQuery = matchMedia("(prefers-color-scheme: dark)");
const isSystemDark = signal(darkQuery.matches);
darkQuery.addEventListener("change", () => {
  isSystemDark.value = darkQuery.matches;
});
export const isDark = computed(() => theme.value === "dark" || (theme.value === "system" && isSystemDark.value));

const motionQuery = matchMedia("(prefers-reduced-motion: reduce)");
/** The person wants no movement: frames jump. */
export const isMotionReduced = signal(motionQuery.matches);
motionQuery.addEventListener("change", () => {
  isMotionReduced.value = motionQuery.matches;
});

effect(() => {
  document.documentElement.dataset.theme = isDark.value ? "dark" : "light";
  document.documentElement.lang = language.value === "zh" ? "zh-Hans" : "en";
  try {
    localStorage.setItem(
      KEY,
      JSON.stringify({ theme: theme.value, language: language.value, sideWidth: sideWidth.value, dockHeight: dockHeight.value } satisfies Kept),
    );
  } catch {
    // Storage may be forbidden; preferences then last as long as the page.
  }
});

function read(): Kept {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
