/**
 * Keeps live secrets out of whatever leaves a connector: results, errors, logs, spans and audit records.
 *
 * Whatever holds a secret watches it for as long as it holds it. From then on it is replaced by `<redacted>` wherever a
 * text has it: as it is, in base64 and base64url at any place of a longer text, in hex, as a printed buffer, and under three
 * layers of percent signs and backslashes. A secret is known by the whole of it: a part that an upstream has cut off is not
 * recognised. One process has one registry, which everything uses unless a layer replaces it; while no secret is watched,
 * nothing is searched.
 */
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import * as ScrubbedTelemetry from "./internal/scrubbedTelemetry.ts"
import { scrubbed } from "./internal/scrubbedValue.ts"
import * as ScrubbedStream from "./internal/scrubbedStream.ts"
import * as SecretFinder from "./internal/secretFinder.ts"
import { formsOf } from "./internal/secretForms.ts"

/**
 * How long a secret stays known after the scope that watched it has closed, since answers and errors that hold it may still
 * be on their way.
 *
 * @category constants
 * @since 0.1.0
 */
export const grace: Duration.Duration = Duration.minutes(1)

/**
 * A text that is scrubbed chunk by chunk: `push` gives back what may leave, and `flush` what is still held back at the end.
 *
 * @category models
 * @since 0.1.0
 */
export type { ScrubbedStream } from "./internal/scrubbedStream.ts"

/**
 * What knows the secrets, and takes them out of what it is given.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registry {
  /**
   * Knows the secret from now until the scope closes, and for the `grace` after that. White space around it does not count.
   * One with fewer than 8 characters would blank out ordinary words, so it is not watched, and a warning says so.
   */
  readonly watch: (secret: Redacted.Redacted<string | Uint8Array>) => Effect.Effect<void, never, Scope.Scope>
  /** Replaces each secret in a text. One without any comes back as it is. */
  readonly scrub: (text: string) => string
  /**
   * Replaces each secret in the texts of a value. Arrays, plain objects, maps, sets, errors and causes keep their shape; any
   * other object that holds a secret becomes `<redacted>`. A value without any comes back as it is.
   */
  readonly scrubValue: <A>(value: A) => A
  /** Begins a text that comes in chunks, in which a secret may be split anywhere. Complete lines leave at once. */
  readonly stream: () => ScrubbedStream.ScrubbedStream
  /** Gives a context whose loggers, tracer and `Console` scrub what they are given. */
  readonly guard: <R>(context: Context.Context<R>) => Context.Context<R>
}

/**
 * Makes a registry of its own.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Registry => {
  const finder = SecretFinder.make()
  const leaving: Array<{ readonly entries: ReadonlyArray<SecretFinder.Entry>; readonly until: number }> = []

  // Here and not by a timer, which would keep a process from ending. Those that wait cost no more than those that live.
  const forget = (now: number) => {
    while (leaving[0] !== undefined && leaving[0].until <= now) finder.remove(leaving.shift()!.entries)
  }

  const scrub = (text: string) => finder.replace(text, marker)
  const scrubValue = <A>(value: A): A => (finder.isEmpty() ? value : scrubbed(value, scrub, marker))

  return {
    scrub,
    scrubValue,
    stream: () => ScrubbedStream.make(finder, scrub),
    guard: ScrubbedTelemetry.make(scrubValue),
    watch: (secret) =>
      Effect.suspend(() => {
        const value = Redacted.value(secret)
        const forms = formsOf(typeof value === "string" ? value.trim() : value)
        if (forms.some(({ text }) => text.length < SecretFinder.shortest)) return Effect.logWarning(tooShort)
        const learn = Clock.clockWith((clock) =>
          Effect.sync(() => {
            forget(clock.currentTimeMillisUnsafe())
            return finder.add(forms)
          })
        )
        const leave = (entries: ReadonlyArray<SecretFinder.Entry>) =>
          Clock.clockWith((clock) =>
            Effect.sync(() => {
              const now = clock.currentTimeMillisUnsafe()
              forget(now)
              leaving.push({ entries, until: now + Duration.toMillis(grace) })
            })
          )
        return Effect.asVoid(Effect.acquireRelease(learn, leave))
      })
  }
}

const marker = "<redacted>"

const tooShort =
  "A secret with fewer than 8 characters is not kept out of answers and logs, since ordinary words would go with it: use a longer one"

/**
 * The secrets that must not leave, by default those of the process.
 *
 * @category services
 * @since 0.1.0
 */
export const Scrubber: Context.Reference<Registry> = Context.Reference("@ferrule/core/Scrubber", { defaultValue: make })

/**
 * Gives a registry of its own, which knows nothing of the process's.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer: Layer.Layer<never> = Layer.sync(Scrubber, make)

/**
 * Watches a secret until the scope closes, and for the `grace` after that.
 *
 * @category watching
 * @since 0.1.0
 */
export const watch = (
  secret: Redacted.Redacted<string> | Redacted.Redacted<Uint8Array>
): Effect.Effect<void, never, Scope.Scope> =>
  Effect.withFiber((fiber) => fiber.getRef(Scrubber).watch(secret as Redacted.Redacted<string | Uint8Array>))

/**
 * Replaces each secret in a text.
 *
 * @category scrubbing
 * @since 0.1.0
 */
export const scrub = (text: string): Effect.Effect<string> =>
  Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Scrubber).scrub(text)))

/**
 * Runs an effect so that its logs and spans hold no secret: whatever the loggers and the tracer are, they are given scrubbed
 * texts. The pipeline does this to each call.
 *
 * @category scrubbing
 * @since 0.1.0
 */
export const guarded = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.updateContext(effect, guardedContext)

/**
 * Does what `guarded` does for the layers that it is provided to. It guards the loggers and the tracer of the layers that it
 * is built on itself: `Layer.provide(app, Scrubber.layerGuarded.pipe(Layer.provideMerge(loggers)))`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerGuarded: Layer.Layer<never> = Layer.effectContext(
  Effect.map(Effect.context<never>(), (context) =>
    Context.pick(Console.Console, References.CurrentLoggers, Tracer.Tracer)(guardedContext(context))
  )
)

const guardedContext = <R>(context: Context.Context<R>): Context.Context<R> =>
  Context.get(context, Scrubber).guard(context)
