import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/tshark/**/*.test.ts"],
    testTimeout: 120_000,
    maxWorkers: "100%",
    reporters: ["default", ["json", { outputFile: ".tmp/tests-tshark.json" }]],
  },
});
