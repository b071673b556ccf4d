/**
 * The process under test, from outside: started, asked how it is, and watched for its end.
 */
import { Deferred, Effect, type Scope } from "effect"
import { fork } from "node:child_process"
import type { Readable, Writable } from "node:stream"
import { fileURLToPath } from "node:url"
import type { Broken } from "./faults.ts"
import { type Fault, fault } from "./Judge.ts"
import type { Condition, Told } from "./server.ts"

export interface Subject {
  readonly stdin: Writable
  readonly stdout: Readable
  /** The port that it serves; never there on stdio. */
  readonly port: Effect.Effect<number>
  /** Collects its garbage and what it has seen; `undefined` once the process has ended. */
  readonly condition: Effect.Effect<Condition | undefined>
  /** Waits for its end, and gives the code or the signal. */
  readonly exit: Effect.Effect<string>
  readonly hasEnded: () => boolean
  /** What it wrote to standard error that no server in order writes. */
  readonly complaints: () => ReadonlyArray<Fault>
}

const file = fileURLToPath(new URL("server.ts", import.meta.url))

/** What starting says, and Node's own words on a flag or a feature. */
const expectedOnStderr = /keeps its record of writes in memory|Listening on|ExperimentalWarning|--trace-warnings/

export const start = (way: "http" | "stdio", broken: Broken | undefined): Effect.Effect<Subject, never, Scope.Scope> =>
  Effect.gen(function* () {
    const port = yield* Deferred.make<number>()
    const exit = yield* Deferred.make<string>()
    let answered: ((condition: Condition | undefined) => void) | undefined
    let stderr = ""
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        fork(file, broken === undefined ? [way] : [way, broken], {
          execArgv: ["--expose-gc"],
          stdio: ["pipe", "pipe", "pipe", "ipc"],
          serialization: "advanced"
        })
      ),
      (child) => Effect.sync(() => child.kill("SIGKILL"))
    )
    child.stderr?.on("data", (chunk) => {
      stderr = (stderr + String(chunk)).slice(-100_000)
    })
    child.stdin?.on("error", () => undefined)
    child.on("message", (told: Told) => {
      if ("port" in told) Deferred.doneUnsafe(port, Effect.succeed(told.port))
      else answered?.(told.condition)
    })
    child.on("error", () => undefined)
    child.on("exit", (code, signal) => {
      Deferred.doneUnsafe(exit, Effect.succeed(String(code ?? signal)))
      Deferred.doneUnsafe(port, Effect.die(new Error(`The server ended before it served: ${stderr}`)))
      answered?.(undefined)
    })
    return {
      stdin: child.stdin!,
      stdout: child.stdout!,
      port: Deferred.await(port),
      condition: Effect.callback((resume) => {
        if (!child.connected) return resume(Effect.undefined)
        answered = (condition) => resume(Effect.succeed(condition))
        child.send("condition", () => undefined)
      }),
      exit: Deferred.await(exit),
      hasEnded: () => child.exitCode !== null || child.signalCode !== null,
      complaints: () =>
        stderr
          .split("\n")
          .filter((line) => line.trim() !== "" && !expectedOnStderr.test(line))
          .slice(0, 20)
          .map((line) => fault("logs an error", line))
    }
  })
