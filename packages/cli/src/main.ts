#!/usr/bin/env node
/**
 * Starts the `ferrule` command where it can run. It imports nothing before it knows, since what the command imports is not
 * there in an older Node.
 */
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  void import("./ferrule.ts")
} else {
  process.stderr.write(
    `ferrule runs on Node 22.18 or newer, which also runs the TypeScript of a connector as it is. This is Node ${process.versions.node}.\n`
  )
  process.exitCode = 2
}
