/**
 * Files can be dropped anywhere on the page.
 */

import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { openFile } from "./open-file.ts";

export function DropZone({ children }: { readonly children: ComponentChildren }) {
  const isOver = useSignal(false);
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") === true;
  return (
    <div
      class={isOver.value ? "app dropping" : "app"}
      onDragOver={(event) => {
        if (!hasFiles(event)) return;
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={(event) => {
        if (event.relatedTarget === null) isOver.value = false;
      }}
      onDrop={(event) => {
        isOver.value = false;
        if (!hasFiles(event)) return;
        event.preventDefault();
        const file = event.dataTransfer?.files[0];
        if (file !== undefined) void openFile(file);
      }}
    >
      {children}
    </div>
  );
}
