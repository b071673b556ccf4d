import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "examples/*/*.test.ts"],
    exclude: ["**/node_modules/**", "**/*.integration.test.ts"]
  }
})
