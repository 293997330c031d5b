/**
 * What every view must be, asked of the page itself: names for all that can be reached, texts that can be read.
 */

import type { Page } from "playwright-core";

/** What a person can reach but not be told the name of. */
export function nameless(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("button, select, input, [role=slider], [role=separator], [role=tab], [role=button], [tabindex='0']")]
      .filter((element) => element.checkVisibility())
      .filter((element) => {
        const labels = element instanceof HTMLInputElement || element instanceof HTMLSelectElement ? [...(element.labels ?? [])].map((label) => label.textContent) : [];
        const name = element.getAttribute("aria-label") ?? [...labels, element.textContent].join("");
        return name.trim() === "";
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  );
}

/** Texts whose colour is too near to what is behind them. */
export function faint(page: Page, bounds: { readonly text: number; readonly large: number }): Promise<string[]> {
  return page.evaluate(({ text: textMin, large: largeMin }) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true }) as CanvasRenderingContext2D;
    const rgb = (color: string) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (color: readonly number[]) => {
      const [r = 0, g = 0, b = 0] = color.slice(0, 3).map((value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element: Element | null): number[] => {
      for (let at = element; at !== null; at = at.parentElement) {
        const color = rgb(getComputedStyle(at).backgroundColor);
        if ((color[3] ?? 0) > 250) return color;
      }
      return rgb(getComputedStyle(document.body).backgroundColor);
    };
    const wrong = new Set<string>();
    for (const element of document.querySelectorAll<HTMLElement>("body *")) {
      if (element.closest("svg, [hidden], :disabled, dialog:not([open]), .visually-hidden, .skip") !== null || !element.checkVisibility()) continue;
      if (![...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.textContent?.trim() !== "")) continue;
      const style = getComputedStyle(element);
      const [one, two] = [luminance(rgb(style.color)), luminance(behind(element))];
      const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
      const size = Number.parseFloat(style.fontSize);
      const isLarge = size >= 24 || (size >= 18.6 && Number(style.fontWeight) >= 700);
      if (ratio < (isLarge ? largeMin : textMin)) wrong.add(`${element.className || element.tagName} ${ratio.toFixed(2)} ${element.textContent?.slice(0, 30)}`);
    }
    return [...wrong];
  }, bounds);
}
