import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    // Some tests start programs, and may do so on a machine that has other work.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["packages/*/test/**/*.test.ts", "packages/*/templates/**/*.test.ts", "examples/*/*.test.ts"],
          exclude: ["**/node_modules/**", "**/*.integration.test.ts"]
        }
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["packages/*/test/**/*.integration.test.ts", "examples/*/*.integration.test.ts"]
        }
      }
    ]
  }
})
