/**
 * A worker thread that ends the process when a module is still loading after its time. The main thread can't do it: a loop
 * that never ends leaves it no turn.
 */
import { writeSync } from "node:fs"
import { Session } from "node:inspector"
import { workerData } from "node:worker_threads"

/** `loaded` is set and notified when the module has loaded. */
export interface Watch {
  readonly loaded: Int32Array<SharedArrayBuffer>
  readonly millis: number
  readonly sentence: string
}

const { loaded, millis, sentence }: Watch = workerData

if (Atomics.wait(loaded, 0, 0, millis) === "timed-out") {
  writeSync(2, `${sentence}\n`)
  // A worker can't end the process with a code of its own, but the debugger's protocol interrupts the loop. Standard error
  // is closed first, since Node would say on it that a debugger is attached.
  const session = new Session()
  session.connectToMainThread()
  session.post("Runtime.evaluate", {
    expression: `process.removeAllListeners("exit"); process.getBuiltinModule("node:fs").closeSync(2); process.exit(2)`
  })
  // Native code that blocks the main thread is not interrupted.
  Atomics.wait(loaded, 0, 0, 2000)
  process.kill(process.pid, "SIGKILL")
}
