/**
 * Take away: the picture, the packets, the trace, the scenario, a link.
 */

import { signal } from "@preact/signals";
import { currentLink } from "../../state/address-bar.ts";
import { formatTime } from "../../state/format.ts";
import { t } from "../../state/preferences.ts";
import { ask, current, moment } from "../../state/store.ts";
import { pictureOf, toPng } from "./picture.ts";
import "./takeaway.css";

const PNG_SCALE = 2;
const KEPT_MS = 60_000;

const said = signal("");
const isBusy = signal(false);

export function Panel() {
  const s = t.value.takeaway;
  const session = current.value;
  if (session === undefined) return null;
  const { id, scenarioText } = session.info;
  const items = [
    { key: "svg", label: s.svg, hint: s.svgHint, act: savePicture },
    { key: "png", label: s.png, hint: s.pngHint, act: savePng },
    { key: "pcapng", label: s.pcapng, hint: s.pcapngHint, act: async () => save(await ask("captureFile", undefined, id), "pcapng") },
    { key: "jsonl", label: s.jsonl, hint: s.jsonlHint, act: async () => save(await ask("traceFile", undefined, id), "jsonl") },
    ...(scenarioText === null ? [] : [{ key: "yaml", label: s.yaml, hint: s.yamlHint, act: async () => save(new Blob([scenarioText], { type: "text/yaml" }), "yaml") }]),
    ...(session.source.kind === "scenario" ? [{ key: "link", label: s.link, hint: s.linkHint, act: copyLink }] : []),
  ];
  return (
    <div class="takeaway">
      <ul>
        {items.map(({ key, label, hint, act }) => (
          <li key={key}>
            <button type="button" disabled={isBusy.value} onClick={() => void doing(act)}>
              {label}
            </button>
            <span class="muted">{hint}</span>
          </li>
        ))}
      </ul>
      <p role="status">{isBusy.value ? s.busy : said.value}</p>
    </div>
  );
}

async function doing(act: () => Promise<string>): Promise<void> {
  isBusy.value = true;
  try {
    said.value = await act();
  } catch (error) {
    said.value = `${t.value.takeaway.failed} ${error instanceof Error ? error.message : ""}`;
  } finally {
    isBusy.value = false;
  }
}

async function savePicture(): Promise<string> {
  const picture = shownPicture();
  return picture === undefined ? t.value.takeaway.noPicture : save(new Blob([picture.svg], { type: "image/svg+xml" }), "svg");
}

async function savePng(): Promise<string> {
  const picture = shownPicture();
  return picture === undefined ? t.value.takeaway.noPicture : save(await toPng(picture, PNG_SCALE), "png");
}

function shownPicture() {
  const stage = document.getElementById("stage");
  const [session, now] = [current.value, moment.value];
  if (stage === null || session === undefined || now === undefined) return undefined;
  const at = `${formatTime(now.position.timeNs - session.info.originNs)} s`;
  const record = now.record === undefined ? "" : ` · ${now.record.host}: ${now.record.text}`;
  return pictureOf(stage, [session.info.header.title, `${at}${record}`]);
}

async function copyLink(): Promise<string> {
  const link = await currentLink();
  const s = t.value.app;
  if (link === undefined) return s.shareTrace;
  history.replaceState(null, "", link);
  return navigator.clipboard.writeText(link).then(
    () => s.shared,
    () => s.shareFailed,
  );
}

/** Gives a file to the person; tells its name. */
function save(blob: Blob, extension: string): string {
  const name = `${fileNameOf(current.value?.source.file ?? "")}.${extension}`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), KEPT_MS);
  return t.value.takeaway.saved(name);
}

/** `dr-10.168` of `documents/dr-10.168.yaml`. */
export function fileNameOf(file: string): string {
  const last = file.slice(file.lastIndexOf("/") + 1).replace(/\.(?:ya?ml|jsonl|ndjson)$/i, "");
  return last.replaceAll(/[^\w.\u4e00-\u9fff-]+/g, "-") || "lvsim";
}
