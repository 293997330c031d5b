/**
 * Messages about files: what is being opened, what went wrong and where.
 */

import { t } from "../state/preferences.ts";
import { current, type OpeningState, shownFailure } from "../state/store.ts";

const PLACES_SHOWN = 6;
const PERCENT = 100;

export function OpeningBanner({ state }: { readonly state: OpeningState }) {
  const s = t.value.opening;
  const { progress } = state;
  return (
    <div class="banner" role="status">
      <strong>{s.title(state.file)}</strong>
      <progress {...(progress?.share === undefined ? {} : { value: progress.share * PERCENT, max: PERCENT })} aria-label={s.title(state.file)} />
      <span>{progress === undefined ? "" : s.records(progress.records.toLocaleString("en"))}</span>
      <button type="button" onClick={() => state.cancel()}>
        {s.cancel}
      </button>
    </div>
  );
}

export function FailureBanner() {
  const s = t.value.failure;
  const shown = shownFailure.value;
  if (shown === undefined) {
    const stopped = current.value?.info.stopped;
    if (stopped === undefined) return null;
    return (
      <div class="banner warning" role="alert">
        <strong>{s[stopped.kind](current.value?.source.file ?? "")}</strong>
        <span>{stopped.message}</span>
        <span>{s.stopped}</span>
      </div>
    );
  }
  const { failure, file } = shown;
  return (
    <div class="banner error" role="alert">
      <div>
        <strong>{s[failure.kind](file)}</strong>
        {failure.places.length === 0 ? (
          <p class="mono">{failure.message}</p>
        ) : (
          <ul>
            {failure.places.slice(0, PLACES_SHOWN).map((place) => (
              <li key={`${place.line} ${place.column} ${place.message}`}>
                <span class="muted">{s.line(place.line)}</span> {place.message}
                {place.remedy === "" ? "" : `; ${place.remedy}`}
              </li>
            ))}
          </ul>
        )}
      </div>
      <button type="button" class="quiet icon" aria-label={s.dismiss} onClick={() => (shownFailure.value = undefined)}>
        ×
      </button>
    </div>
  );
}
