/**
 * Takes down whatever leaves a running connector otherwise than as an answer: logs, spans, what is printed, and what is
 * written to standard output and standard error behind Effect's back. Nothing of it reaches the terminal, where the
 * report goes.
 */
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Formatter from "effect/Formatter"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import { Console as NodeConsole } from "node:console"
import { Writable } from "node:stream"
import { inspect } from "node:util"
import * as GlobalFetch from "./globalFetch.ts"
import { type ShiftedClock, shifted } from "./shiftedClock.ts"

export interface Output {
  readonly way: string
  readonly text: string
}

export interface Recorder {
  readonly output: ReadonlyArray<Output>
  readonly add: (way: string, text: string) => void
  /** The secrets that the scrubber was told of. */
  readonly watched: ReadonlySet<string>
  /** The loggers, the tracer, the console and the clock that the connector is to run with, and a scrubber of its own. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  /** The same clock, for what sleeps until a time that may come sooner when the clock is set ahead. */
  readonly alarm: Clock.Clock
  readonly advance: ShiftedClock["advance"]
}

export const make: Effect.Effect<Recorder, never, Scope.Scope> = Effect.gen(function* () {
  const output: Array<Output> = []
  const add = (way: string, text: string) => void output.push({ way, text })
  yield* Effect.acquireRelease(
    Effect.sync(() => intercept(add)),
    (restore) => Effect.sync(restore)
  )
  const { advance, alarm, clock } = shifted(yield* Clock.Clock)
  const watched = new Set<string>()
  const context = Context.empty().pipe(
    Context.add(Logger.CurrentLoggers, new Set([loggerOf(add)])),
    Context.add(Tracer.Tracer, tracerOf(add)),
    Context.add(Console.Console, consoleOf(add)),
    Context.add(Clock.Clock, clock),
    Context.add(Scrubber.Scrubber, overheard(Scrubber.make(), watched))
  )
  return { output, add, watched, context, clock, alarm, advance }
})

/** A scrubber that says what it is to take out, so that its work can be checked. */
const overheard = (registry: Scrubber.Registry, watched: Set<string>): Scrubber.Registry => ({
  ...registry,
  watch: (secret) => {
    const value = Redacted.value(secret)
    if (typeof value === "string" && value.trim().length >= shortest) watched.add(value.trim())
    return registry.watch(secret)
  }
})

/** What is shorter is not watched. */
const shortest = 8

const loggerOf = (add: Recorder["add"]) => Logger.map(Logger.formatJson, (line) => add("log", line))

const tracerOf = (add: Recorder["add"]) =>
  Tracer.make({
    context: GlobalFetch.context,
    span: (options) => {
      class Recorded extends Tracer.NativeSpan {
        override end(at: bigint, exit: Exit.Exit<unknown, unknown>) {
          super.end(at, exit)
          const { attributes, events, links, name } = this
          const cause = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : ""
          add("span", Formatter.format([name, [...attributes], events, links.map((link) => link.attributes), cause]))
        }
      }
      return new Recorded(options)
    }
  })

const consoleOf = (add: Recorder["add"]): Console.Console => {
  const sink = new Writable({
    write(chunk: Buffer, _, done) {
      add("console", chunk.toString("utf8"))
      done()
    }
  })
  return new NodeConsole({ stdout: sink, stderr: sink })
}

const taking = new Set<Recorder["add"]>()
let restore: (() => void) | undefined

/** Several instances may run at once, and a line that is written does not say whose it is. */
const intercept = (add: Recorder["add"]) => {
  taking.add(add)
  if (taking.size === 1) {
    const restores = [interceptStream("stdout"), interceptStream("stderr"), interceptFailures()]
    restore = () => restores.forEach((each) => each())
  }
  return () => {
    taking.delete(add)
    if (taking.size === 0) restore?.()
  }
}

/** What no fiber waits for would end the audit, and be printed on the way. */
const interceptFailures = () => {
  const keep = (error: unknown) => {
    for (const add of taking) add("stderr", inspect(error))
  }
  process.on("unhandledRejection", keep).on("uncaughtException", keep)
  return () => void process.off("unhandledRejection", keep).off("uncaughtException", keep)
}

const interceptStream = (name: "stdout" | "stderr") => {
  const stream = process[name]
  const write = stream.write
  stream.write = (chunk: unknown, ...rest: ReadonlyArray<unknown>) => {
    const text = typeof chunk === "string" ? chunk : Buffer.from(chunk as Uint8Array).toString("utf8")
    for (const add of taking) add(name, text)
    const done = rest.find((each) => typeof each === "function")
    if (done !== undefined) queueMicrotask(() => done())
    return true
  }
  return () => {
    stream.write = write
  }
}
