/**
 * How the process ends: by `end` alone, once everything that was printed has left. A module that is loaded may have started
 * servers and timers, which are not waited for, and it must not end the process itself: an audit that stops in the middle
 * with 0 would pass.
 */
import { writeSync } from "node:fs"

// The stream's own, whatever a module that is loading makes of it.
const write = process.stdout.write.bind(process.stdout)

let isOurs = false

/** Ends the process with this code after standard output and standard error are written out. */
export const end = (code: number): void => {
  isOurs = true
  write("", () => process.stderr.write("", () => process.exit(code)))
}

/** From now on, whoever else ends the process makes it say this and exit with 2. */
export const guard = (sentence: string): void => {
  process.once("exit", () => {
    if (isOurs) return
    writeSync(process.stderr.fd, `${sentence}\n`)
    process.exitCode = 2
  })
}
