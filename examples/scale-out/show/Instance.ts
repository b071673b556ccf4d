/**
 * An instance of the service desk as a process of its own, which can be killed, stopped, paused and started again. What it
 * has done is read from its audit trail.
 */
import { Deferred, type Duration, Effect, Schema, Scope } from "effect"
import { join } from "node:path"
import { DemoError } from "../../service-desk/demo/World.ts"
import * as Program from "./Program.ts"

export interface Place {
  readonly name: string
  readonly port: number
  readonly healthPort: number
}

/** How the calls ended that an instance answered, as far as it lived to say so. */
export interface Tally {
  /** It ran the handler. */
  executed: number
  /** It gave the result of an earlier call, whichever instance had run that, or found what it had written. */
  replayed: number
}

/** Makes an instance that is not started yet. Its process ends with the scope. */
export const make = (place: Place, environment: Readonly<Record<string, string>>) =>
  Effect.map(Effect.scope, (scope) => {
    const tally: Tally = { executed: 0, replayed: 0 }
    let starts = 0
    let running: Program.Program | undefined

    const launch = (listening: Deferred.Deferred<void>) =>
      Program.start({
        command: process.execPath,
        args: [join(import.meta.dirname, "..", "instance.ts")],
        env: {
          ...environment,
          DESK_NAME: place.name,
          DESK_PORT: String(place.port),
          DESK_HEALTH_PORT: String(place.healthPort)
        },
        onLine: (line) => {
          const entry = decodeEntry(line)
          if (entry._tag === "None") return
          if (entry.value.message.startsWith("Listening on")) Deferred.doneUnsafe(listening, Effect.void)
          if (entry.value.message === "tool call") count(tally, decodeRecord(entry.value.annotations))
        }
      })

    const send = (signal: Parameters<Program.Program["signal"]>[0]) => Effect.sync(() => running?.signal(signal))
    const ended = Effect.suspend(() => running?.ended ?? Effect.succeed("not started"))

    return {
      ...place,
      tally,
      /** How often it was started. */
      starts: () => starts,

      /** Starts a process, and returns when it listens. */
      start: Effect.gen(function* () {
        const listening = yield* Deferred.make<void>()
        starts++
        running = yield* Scope.provide(launch(listening), scope)
        const { ended, lastWords } = running
        const died = Effect.flatMap(ended, (how) => fail(`${place.name} did not start (${how}): ${lastWords()}`))
        yield* within("60 seconds", `${place.name} did not start`, Effect.raceFirst(Deferred.await(listening), died))
      }),

      /** Ends the process as a power cut would: it gets no chance to do anything. */
      kill: Effect.andThen(send("SIGKILL"), ended),

      /** Asks the process to end, and returns when it has, with how it did. */
      stop: Effect.andThen(send("SIGTERM"), within("60 seconds", `${place.name} did not end`, ended)),

      /** Lets the process stand still, as a machine does that is moved or out of memory. */
      pause: send("SIGSTOP"),

      resume: send("SIGCONT")
    }
  })

export type Instance = Effect.Success<ReturnType<typeof make>>

const fail = (message: string) => Effect.fail(new DemoError({ message }))

const within = <A, E>(duration: Duration.Input, message: string, effect: Effect.Effect<A, E>) =>
  Effect.timeoutOrElse(effect, { duration, orElse: () => fail(message) })

const LogEntry = Schema.Struct({ message: Schema.String, annotations: Schema.Record(Schema.String, Schema.Json) })
const AuditRecord = Schema.Struct({ outcome: Schema.String, replayed: Schema.Boolean })
const decodeEntry = Schema.decodeUnknownOption(Schema.fromJsonString(LogEntry))
const decodeRecord = Schema.decodeUnknownSync(AuditRecord)

const count = (tally: Tally, { outcome, replayed }: typeof AuditRecord.Type) => {
  if (outcome === "Completed") tally[replayed ? "replayed" : "executed"]++
}
