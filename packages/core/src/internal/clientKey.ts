/**
 * What a call's keys say against its record: that it is another member's of the tenant, that it differs from the call that
 * made it, or that it was made under another key of the client's.
 */
import * as Effect from "effect/Effect"
import {
  AuthorizationError,
  type ConnectorError,
  type OutcomeUnknown,
  type TransientError,
  ValidationError
} from "../ConnectorError.ts"
import {
  type derive,
  differences,
  hasOtherExplicitKey,
  type IdempotencyKey,
  isBegunByAnother
} from "../IdempotencyKey.ts"
import type { Existing, IdempotencyStore } from "../IdempotencyStore.ts"
import type { PrincipalData } from "../Principal.ts"
import type * as Tool from "../Tool.ts"
import { logUnreadable, unreachable, unreadable } from "./storeFault.ts"

/** The key that names the record of a write, and the client's own where that is another. */
export interface Keys {
  readonly key: IdempotencyKey
  readonly binding: Binding | undefined
}

/** A call of a write, as far as its keys say. */
export interface Keyed extends Keys {
  readonly tool: Tool.AnyWrite
  /** Whether the caller is told what became of what another member of its tenant began. */
  readonly isTold: boolean
}

/**
 * The client's own key, where that is not the write's: it may mean this operation and no other. `holder` is who has its
 * record. It is `adopted` once it stands for a write that was begun under another key, because its call came before that
 * one was done.
 */
export interface Binding {
  readonly key: IdempotencyKey
  holder: string
  adopted: boolean
}

/**
 * The keys of a call. A client that mints a key for each attempt would write twice, so where an occurrence says that a repeat
 * is meant, the operation goes by its meaning, and the client's key is bound to it.
 */
export const keysOf = (
  keyOf: ReturnType<typeof derive>,
  { idempotency }: Tool.AnyWrite,
  principal: PrincipalData,
  input: object,
  explicit: string | undefined
): Effect.Effect<Keys, ValidationError> =>
  Effect.flatMapEager(keyOf(principal, input, explicit), (key): Effect.Effect<Keys, ValidationError> =>
    explicit === undefined || idempotency.occurrence === undefined
      ? Effect.succeed({ key, binding: undefined })
      : Effect.mapEager(keyOf(principal, input, undefined, explicit), (meant) => ({
          key: meant,
          binding: { key, holder: "", adopted: false }
        }))
  )

/** Holds the client's own key to the arguments that it came with first, by the guards of a record that has no result. */
export const bind = (
  store: IdempotencyStore["Service"],
  write: Keyed,
  binding: Binding,
  owner: string
): Effect.Effect<void, ConnectorError | OutcomeUnknown> => {
  const { key, guards } = binding.key
  const { lease, unknownRetention: retention } = write.tool.idempotency
  return Effect.matchEffect(store.claim({ key, owner, guards, lease, retention }), {
    onFailure: unreachable("no"),
    onSuccess: (found): Effect.Effect<void, ConnectorError | OutcomeUnknown> => {
      if (found._tag === "Unreadable") return unreadableOf(write, found.reason)
      const isNew = found._tag === "Claimed"
      binding.holder = isNew ? owner : found.owner
      binding.adopted = !isNew && found.state === "settled"
      const conflict = isNew ? undefined : conflictOf(found.guards, { ...write, key: binding.key })
      return conflict === undefined ? Effect.void : Effect.fail(conflict)
    }
  })
}

/** The client's key, where it has to be adopted before its call goes on with a write of these guards. */
export const toAdopt = (recorded: string, { binding, key }: Keyed): Binding | undefined =>
  binding !== undefined && !binding.adopted && hasOtherExplicitKey(recorded, key.guards) ? binding : undefined

/**
 * Lets the client's key stand for a write that is not done yet, whoever began it. It is kept before the call goes on, so
 * that the key gets what the call gets, however often it comes again.
 */
export const adopt = (
  store: IdempotencyStore["Service"],
  tool: Tool.AnyWrite,
  binding: Binding
): Effect.Effect<void, TransientError> => {
  const { holder: owner, key } = binding
  const settled = store.settle({ key: key.key, owner, result: "", retention: tool.idempotency.unknownRetention })
  return Effect.matchEffect(settled, {
    onFailure: unreachable("unknown"),
    onSuccess: () => Effect.sync(() => void (binding.adopted = true))
  })
}

/**
 * Why a call may not go on with a record; it comes before anything else that is said of one. The record is another member's,
 * or the call differs in guarded fields from the one that has it. That a client's key is another one counts only for a
 * write that is done: until then the call goes on with it, as any repeat does.
 */
export const conflictOf = (
  recorded: string,
  write: Keyed,
  state: Existing["state"] = "claimed"
): ValidationError | AuthorizationError | undefined => {
  const { guards } = write.key
  if (recorded === guards) return undefined
  if (!write.isTold && isBegunByAnother(recorded, guards)) return anothers()
  const differing = differences(recorded, guards)
  const what = "differs from an earlier call that means the same operation"
  const expected = "the earlier value, or other values in the fields that identify the operation"
  if (differing.length > 0 && write.tool.idempotency.conflictDetail === "none") {
    return ValidationError.at("", `an argument ${what}`, expected)
  }
  const [first, ...others] = differing.map((path) => ({ path, message: what, expected }))
  if (first !== undefined) return new ValidationError({ issues: [first, ...others] })
  return state === "settled" && toAdopt(recorded, write) !== undefined ? possibleDuplicate(write.tool) : undefined
}

/** Of a record that can't be read, nobody can tell whose it is. */
export const unreadableOf = (write: Keyed, reason: string): Effect.Effect<never, AuthorizationError | OutcomeUnknown> =>
  write.isTold ? unreadable(write.tool, reason) : Effect.andThen(logUnreadable(reason), Effect.fail(anothers()))

/** The same words in every case. */
const anothers = () =>
  new AuthorizationError({
    message: "This may be an operation that another member of the tenant has begun, of which you are told nothing."
  })

const possibleDuplicate = ({ idempotency: { occurrence } }: Tool.AnyWrite) =>
  ValidationError.at(
    "idempotencyKey",
    "is a new key for a write that was done before under another one, so nothing was executed",
    `the earlier key to get its result, or the next ${occurrence} to do it once more on purpose`
  )
