/**
 * One area of the page: tabs of its panels, the chosen one below. A panel is fetched when it is first chosen and stays afterwards, hidden.
 */

import { type Signal, signal } from "@preact/signals";
import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { type Area, PANELS, type PanelDefinition } from "../panels/registry.ts";
import { t } from "../state/preferences.ts";

/** The chosen panel of each area. */
export const chosenPanels: Readonly<Record<Area, Signal<string>>> = {
  stage: signal(firstOf("stage")),
  side: signal(firstOf("side")),
  dock: signal(firstOf("dock")),
};

function firstOf(area: Area): string {
  return PANELS.find((panel) => panel.area === area)?.id ?? "";
}

/** Brings a panel to the front. */
export function showPanel(id: string): void {
  const panel = PANELS.find((one) => one.id === id);
  if (panel !== undefined) chosenPanels[panel.area].value = id;
}

const loaded = signal<ReadonlyMap<string, ComponentType>>(new Map());
const broken = signal<ReadonlySet<string>>(new Set());
const loading = new Set<string>();

async function fetchPanel({ id, load }: PanelDefinition): Promise<void> {
  if (loading.has(id) || loaded.value.has(id)) return;
  loading.add(id);
  try {
    const { Panel } = await load();
    loaded.value = new Map(loaded.value).set(id, Panel);
    broken.value = new Set([...broken.value].filter((one) => one !== id));
  } catch {
    broken.value = new Set(broken.value).add(id);
  } finally {
    loading.delete(id);
  }
}

/** Fetches the panels that will be shown first, while the run is still being made. */
export function prepareChosenPanels(): void {
  for (const panel of PANELS) if (chosenPanels[panel.area].value === panel.id) void fetchPanel(panel);
}

export interface PanelAreaProps {
  readonly area: Area;
  readonly label: string;
  /** Given when the area can be folded to its tabs. */
  readonly isOpen?: Signal<boolean>;
}

export function PanelArea({ area, label, isOpen }: PanelAreaProps) {
  const panels = PANELS.filter((panel) => panel.area === area);
  const chosen = chosenPanels[area];
  const definition = panels.find(({ id }) => id === chosen.value);
  const isFolded = isOpen?.value === false;
  useEffect(() => {
    if (definition !== undefined && !isFolded) void fetchPanel(definition);
  }, [definition, isFolded]);
  const s = t.value;
  return (
    <section class={`area ${area}`} aria-label={label}>
      <div class="tabs">
        <div role="tablist" aria-label={label} onKeyDown={(event) => moveAmongTabs(event, panels, chosen)}>
          {panels.map((panel) => (
            <button
              key={panel.id}
              type="button"
              role="tab"
              id={`tab-${panel.id}`}
              aria-controls={`panel-${panel.id}`}
              aria-selected={panel.id === chosen.value}
              tabIndex={panel.id === chosen.value ? 0 : -1}
              onClick={() => {
                chosen.value = panel.id;
                if (isOpen !== undefined) isOpen.value = true;
              }}
            >
              {panel.name(s)}
            </button>
          ))}
        </div>
        {isOpen === undefined ? null : (
          <button
            type="button"
            class="quiet icon fold"
            aria-expanded={isOpen.value}
            aria-label={isOpen.value ? s.app.hideDock : s.app.showDock}
            onClick={() => (isOpen.value = !isOpen.value)}
          >
            {isOpen.value ? "▾" : "▴"}
          </button>
        )}
      </div>
      {isFolded
        ? null
        : panels.map((panel) => {
            const Panel = loaded.value.get(panel.id);
            const isChosen = panel.id === chosen.value;
            if (Panel === undefined && !isChosen) return null;
            return (
              <div
                key={panel.id}
                id={area === "stage" && isChosen ? "stage" : `panel-${panel.id}`}
                role="tabpanel"
                aria-labelledby={`tab-${panel.id}`}
                tabIndex={-1}
                class="panel"
                hidden={!isChosen}
              >
                {Panel !== undefined && isChosen ? (
                  <PanelGuard key={panel.id}>
                    <Panel />
                  </PanelGuard>
                ) : Panel === undefined ? (
                  <p class="note" role="status">
                    {broken.value.has(panel.id) ? (
                      <button type="button" onClick={() => void fetchPanel(panel)}>
                        {s.app.tryAgain}
                      </button>
                    ) : (
                      s.app.loadingPanel
                    )}
                  </p>
                ) : null}
              </div>
            );
          })}
    </section>
  );
}

function moveAmongTabs(event: KeyboardEvent, panels: readonly PanelDefinition[], chosen: Signal<string>): void {
  const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
  if (by === 0) return;
  event.preventDefault();
  event.stopPropagation();
  const at = panels.findIndex(({ id }) => id === chosen.value);
  const next = panels[(at + by + panels.length) % panels.length];
  if (next === undefined) return;
  chosen.value = next.id;
  document.getElementById(`tab-${next.id}`)?.focus();
}

/** An error in a panel stays in the panel. */
class PanelGuard extends Component<{ readonly children: ComponentChildren }, { readonly hasFailed: boolean }> {
  override state = { hasFailed: false };

  static override getDerivedStateFromError(): { readonly hasFailed: boolean } {
    return { hasFailed: true };
  }

  override render() {
    if (!this.state.hasFailed) return this.props.children;
    return (
      <div class="note" role="alert">
        <p>{t.value.app.panelBroken}</p>
        <button type="button" onClick={() => this.setState({ hasFailed: false })}>
          {t.value.app.tryAgain}
        </button>
      </div>
    );
  }
}
