import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/viz/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    // A page on a busy machine takes its time; what never comes still fails.
    expect: { poll: { timeout: 30_000, interval: 30 } },
    reporters: ["default", ["json", { outputFile: ".tmp/tests-viz.json" }]],
  },
});
