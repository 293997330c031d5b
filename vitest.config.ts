import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/tshark/**", "test/package/**", "test/viz/**"],
    testTimeout: 60_000,
    reporters: ["default", ["json", { outputFile: ".tmp/tests.json" }]],
  },
});
