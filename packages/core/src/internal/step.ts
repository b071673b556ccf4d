/**
 * A part of a write that has a record of its own, so that an attempt that goes on after a crash does not do it again.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { type ConnectorError, TransientError } from "../ConnectorError.ts"
import type { IdempotencyKey } from "../IdempotencyKey.ts"
import { Operation } from "../Operation.ts"
import type { Once } from "../pipeline/3_idempotency.ts"
import { type Attempts, isUncertain, within } from "../pipeline/4_execute.ts"
import type * as Tool from "../Tool.ts"
import type { Write } from "./oneWrite.ts"
import { sha256 } from "./sha256.ts"
import * as StoredResult from "./storedResult.ts"
import * as Surroundings from "./surroundings.ts"

/** A read has nothing to keep, and a transaction keeps or undoes the whole. */
export const inline: Operation["Service"]["step"] = (_name, _schema, effect) => effect

export const make =
  (once: Once, tool: Tool.AnyWrite, parent: IdempotencyKey, whole: Attempts): Operation["Service"]["step"] =>
  (name, schema, effect) =>
    Effect.gen(function* () {
      const services = yield* Effect.context<Effect.Services<typeof effect>>()
      const around = Surroundings.of(services)
      const key = yield* sha256(`step ${name.length}:${name}${parent.key}`)
      const attempts: Attempts = { count: 0, steps: 0, uncertain: false, abandoned: false }
      const codec = Schema.toCodecJson(schema)
      const part = partOf(tool, name, codec)
      const write: Write = {
        tool: part,
        // The same guards, since the write's own record is gone when it failed without writing.
        key: { key, guards: parent.guards, reference: parent.reference },
        binding: undefined,
        // Who may go on with the whole may go on with its parts.
        isTold: true,
        attempts,
        find: undefined,
        progress: undefined,
        onLeft: undefined,
        execute: (lease, { context }) => {
          const run = Effect.suspend(() => {
            if (lease.left() <= 0 || attempts.abandoned) return Effect.interrupt
            attempts.count++
            whole.steps++
            return Effect.tapCause(provided(effect, services, key), (cause) =>
              Effect.sync(() => {
                if (cause.reasons.some(isUncertain)) attempts.uncertain = true
                else whole.steps--
              })
            )
          })
          return within(part, lease, context, run)
        }
      }
      const { earlier, stored } = yield* Effect.uninterruptibleMask((wait) => once(write, wait, around))
      if (earlier !== undefined) whole.steps++
      const { value } = yield* StoredResult.answerOf(part, stored, around)
      return yield* Effect.orDie(Schema.decodeUnknownEffect(codec)(value["value"]))
    }).pipe(
      // A handler knows three classes. What is not known of a part is not known of the whole.
      Effect.catchTags({
        OutcomeUnknown: ({ message }) => Effect.fail(unknownPart(name, message)),
        ResultUnavailable: ({ message }) => Effect.fail(unknownPart(name, message))
      })
    )

/** To an upstream that a write calls in two steps, each of them is a write of its own. */
const provided = <A, E, R>(effect: Effect.Effect<A, E, R>, context: Context.Context<R>, key: string) => {
  const operation = Context.getOrUndefined(context, Operation)
  const idempotencyKey = (provider: string) => sha256(`${provider.length}:${provider}${key}`)
  return Effect.provideContext(
    effect,
    operation === undefined ? context : Context.add(context, Operation, { ...operation, idempotencyKey })
  )
}

const unknownPart = (name: string, message: string): ConnectorError =>
  new TransientError({ message: `Step ${name}: ${message}`, applied: "unknown" })

/** The tool with the step's result in place of its own. Only the whole write can look for what it has written. */
const partOf = <A>(tool: Tool.AnyWrite, name: string, codec: Schema.Codec<A, Schema.Json>): Tool.AnyWrite => {
  const encode = Schema.encodeUnknownResult(codec)
  const decode = Schema.decodeUnknownResult(codec)
  const unfit = [{ path: "value", message: "does not fit the step's schema", expected: "" }] as const
  const { recovery } = tool.idempotency
  return {
    ...tool,
    name: `${tool.name}: ${name}`,
    output: {
      ...tool.output,
      encode: (result: unknown) =>
        Result.mapBoth(encode(result), { onSuccess: (value) => ({ value }), onFailure: () => unfit }),
      decode: (stored: unknown) => Result.mapError(decode((stored as { readonly value?: unknown }).value), () => unfit)
    },
    idempotency: {
      ...tool.idempotency,
      recovery: recovery === "reconcile" ? "unknown" : recovery,
      // As long as the write itself may be taken up again, and whatever its size: without it the write could not go on.
      retention: tool.idempotency.unknownRetention,
      maxStoredSize: Infinity,
      migrate: undefined,
      recordFailures: false
    }
  }
}
