import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/tshark/**", "test/package/**", "test/viz/**"],
    testTimeout: 60_000,
    // A file a core: left alone, vitest keeps one for itself.
    maxWorkers: "100%",
    globalSetup: "test/helpers/bundle-lvsim.ts",
    reporters: ["default", ["json", { outputFile: ".tmp/tests.json" }]],
  },
});
