/**
 * Calls tools one after the other, and takes down all that leaves the process for each, by whichever client.
 */
import * as Effect from "effect/Effect"
import type { Client, Instance } from "./Bench.ts"
import type { Departed } from "./bench/egress.ts"
import { type Called, call } from "./Call.ts"
import type { Callable } from "./callable.ts"
import { byOthers, type Sent, type Watch } from "./watchUpstream.ts"

export interface Departure extends Pick<Departed, "messages" | "unseen"> {
  readonly called: Called
  /** By Effect's HttpClient over fetch, or by the global fetch, where a probe can stand in between. */
  readonly sent: ReadonlyArray<Sent>
  /** By other clients, which are only watched. */
  readonly others: ReadonlyArray<Sent>
}

/** Nothing else may be called meanwhile. */
export const departuresOf = Effect.fnUntraced(function* (
  instance: Instance,
  watch: Watch,
  client: Client,
  { arguments: args, tool }: Callable
) {
  const [mark, from] = [instance.egress.mark(), watch.sent.length]
  const called = yield* call(client, tool.name, args)
  // What a handler does not wait for leaves a moment later.
  yield* Effect.sleep("20 millis")
  const sent = watch.sent.slice(from)
  const { messages, requests, unseen } = instance.egress.since(mark)
  return { called, sent, others: byOthers(requests, sent), messages, unseen } satisfies Departure
})

/** Nothing left, by any way that is watched. */
export const isNothing = ({ messages, others, sent, unseen }: Departure): boolean =>
  sent.length + others.length + messages.length + unseen.length === 0

/** The ways by which something may have left that nobody could read, in words; undefined where there was none. */
export const unseenOf = (departures: ReadonlyArray<Departure>): string | undefined => {
  const ways = [...new Set(departures.flatMap(({ unseen }) => unseen))]
  return ways.length === 0 ? undefined : ways.join(", ")
}

/** Whom messages went to that are no HTTP. */
export const spokenTo = (departures: ReadonlyArray<Departure>): ReadonlyArray<string> => [
  ...new Set(departures.flatMap(({ messages }) => messages.map(({ to }) => to)))
]
