/**
 * Keeps secrets out of what a process writes to its standard output and standard error, whoever writes it: a logger, a
 * `console.log` in a dependency, or the protocol itself.
 */
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Effect from "effect/Effect"

/** Runs a program whose output is scrubbed. */
export const guarded = <A, E, R>(program: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.acquireUseRelease(
    Effect.map(Scrubber.Scrubber, (scrubber) =>
      [process.stdout, process.stderr].map((output) => install(output, scrubber))
    ),
    () => program,
    (restores) => Effect.sync(() => restores.forEach((restore) => restore()))
  )

const install = (output: NodeJS.WriteStream, scrubber: Scrubber.Registry): (() => void) => {
  const original = output.write
  const stream = scrubber.stream()

  const write = (chunk: string | Uint8Array, ...rest: ReadonlyArray<unknown>): boolean => {
    if (stream.isIdle()) return original.apply(output, [chunk, ...rest] as Parameters<typeof original>)
    const encoding = rest.find((option) => typeof option === "string") as BufferEncoding | undefined
    const done = rest.find((option) => typeof option === "function") as ((error?: Error | null) => void) | undefined
    // One character for each byte, so that a chunk may end in the middle of a character, and no byte is changed.
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk)
    const clean = stream.push(bytes.toString("latin1"))
    if (clean !== "") return original.call(output, Buffer.from(clean, "latin1"), undefined, done)
    if (done !== undefined) process.nextTick(done)
    return true
  }
  const flush = () => {
    const rest = stream.flush()
    if (rest !== "") original.call(output, Buffer.from(rest, "latin1"))
  }

  output.write = write as typeof output.write
  // A program that ends itself closes no scope.
  process.once("exit", flush)
  return () => {
    process.off("exit", flush)
    flush()
    output.write = original
  }
}
