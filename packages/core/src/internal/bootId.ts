/**
 * Names the machine's present start, so that processes can tell whether they count the same monotonic time.
 */
import { readFileSync } from "node:fs"

/** Where the system tells: on Linux. Elsewhere it is empty. */
export const bootId = (): string => {
  try {
    const id = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()
    return /^[0-9a-f-]{36}$/.test(id) ? id : ""
  } catch {
    return ""
  }
}
