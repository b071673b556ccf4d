/**
 * What a store of idempotency records must do, as cases for any test runner.
 *
 * Write a store, then run these: each case is an Effect that needs an `IdempotencyStore` and fails with a
 * `ContractViolation` that says what it expected. Cases use keys of their own, so one store may serve them all, also
 * one that holds other records. With `@effect/vitest`:
 *
 * ```ts
 * for (const { name, run } of IdempotencyStoreContract.cases({ advance: TestClock.adjust })) {
 *   it.effect(name, () => run.pipe(Effect.provide(layer)))
 * }
 * ```
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Inspectable from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { type Claim, type Existing, IdempotencyStore, type StoreError } from "../IdempotencyStore.ts"

/**
 * Says which sentence of the contract a store broke, and how.
 *
 * @category errors
 * @since 0.1.0
 */
export class ContractViolation extends Schema.TaggedError<ContractViolation>("@ferrule/core/testing/ContractViolation")(
  "ContractViolation",
  { what: Schema.String, expected: Schema.Unknown, actual: Schema.Unknown }
) {
  override get message(): string {
    return `${this.what}: expected ${show(this.expected)}, got ${show(this.actual)}`
  }
}

/**
 * One sentence of the contract, and the program that holds a store to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Case<R = never> {
  readonly name: string
  readonly run: Effect.Effect<void, ContractViolation | StoreError, IdempotencyStore | R>
}

/**
 * - `advance` lets the store's clock move on: `TestClock.adjust` for a store that reads Effect's `Clock`, a sleep in real
 *   time for one with a clock of its own.
 * - `lease` and `retention` are what the cases ask for, 30 seconds and 1 hour unless given. A store with a clock of its own
 *   wants short ones, the lease longer than a few steps take and the retention at least four times the lease.
 * - `second` is another instance of the store over the same records, with a connection of its own. Each case then runs once
 *   more, with its steps taken by the two in turn. Give it for a store whose `scope` is `"shared"`.
 * - `damage` makes the record of a key unreadable, behind the store's back, and returns what makes it readable again. The
 *   last case needs it.
 *
 * @category options
 * @since 0.1.0
 */
export interface Options<R = never> {
  readonly advance: (duration: Duration.Duration) => Effect.Effect<void>
  readonly lease?: Duration.Input
  readonly retention?: Duration.Input
  readonly second?: Effect.Effect<IdempotencyStore["Service"], StoreError, R>
  readonly damage?: (key: string) => Effect.Effect<Effect.Effect<void>, never, IdempotencyStore | R>
}

/**
 * Lists the cases, in the order in which a new store is best brought to pass them.
 *
 * @category cases
 * @since 0.1.0
 */
export const cases = <R = never>(options: Options<R>): ReadonlyArray<Case<R>> => {
  const { second } = options
  const alone = casesOf(options, IdempotencyStore)
  if (second === undefined) return alone
  const both = casesOf(options, Effect.zipWith(IdempotencyStore, second, inTurn))
  return [...alone, ...both.map(({ name, run }) => ({ name: `${name}, whichever of two instances is asked`, run }))]
}

const casesOf = <R>(
  options: Options<R>,
  instance: Effect.Effect<IdempotencyStore["Service"], StoreError, IdempotencyStore | R>
): ReadonlyArray<Case<R>> => {
  const lease = Duration.fromInputUnsafe(options.lease ?? "30 seconds")
  const retention = Duration.fromInputUnsafe(options.retention ?? "1 hour")
  const halfLease = Duration.times(lease, 0.5)
  const halfRetention = Duration.times(retention, 0.5)
  const pastLease = options.advance(Duration.times(lease, 1.25))
  const pastRetention = options.advance(Duration.times(retention, 1.25))
  const { damage } = options

  const subject = Effect.map(Effect.all([instance, Random.nextInt, Random.nextInt]), ([store, ...random]) => {
    const key = `contract ${random.join(" ")}`
    const reading = Effect.flatMap(store.claim({ key, owner: "reader", guards: "reader", lease, retention }), (found) =>
      // A claim that finds a record and a read return the same.
      Effect.as(
        Effect.flatMap(store.read(key), (record) => expect("what a read returns", record, found)),
        found
      )
    )
    return {
      key,
      claim: (owner: string, { guards = "guards", suffix = "", kept = retention } = {}) =>
        Effect.flatMap(store.claim({ key: key + suffix, owner, guards, lease, retention: kept }), granting),
      /** Also where there is no telling whose the record is. */
      tryClaim: (owner: string) => store.claim({ key, owner, guards: "guards", lease, retention }),
      settle: (owner: string, result = "result") => store.settle({ key, owner, result, retention }),
      release: (owner: string) => store.release({ key, owner }),
      peek: store.read(key),
      markUnknown: (owner: string, { lapsed = false } = {}) => store.markUnknown({ key, owner, lapsed, retention }),
      takeOver: (previousOwner: string, owner: string, { kept = lease } = {}) =>
        store.takeOver({ key, previousOwner, owner, lease, retention: kept }),
      /** The record, as one more caller finds it. */
      read: Effect.flatMap(reading, seen),
      record: Effect.flatMap(reading, (found) =>
        found._tag === "Existing" ? Effect.succeed(found) : violation("a claim", "the record that exists", found)
      )
    }
  })

  const make = (
    name: string,
    test: (
      steps: Effect.Success<typeof subject>
    ) => Effect.fn.Return<void, ContractViolation | StoreError, IdempotencyStore | R>
  ): Case<R> => ({ name, run: Effect.flatMap(subject, Effect.fnUntraced(test)) })

  return [
    make("the first claim of a key is granted", function* ({ claim }) {
      yield* expect("the claim", yield* claim("a"), granted)
    }),

    make("a later claim returns the record that exists, unchanged", function* ({ claim, read }) {
      yield* claim("a", { guards: "first" })
      yield* expect("the second claim", yield* claim("b", { guards: "second" }), { ...claimedBy("a"), guards: "first" })
      yield* expect("the record afterwards", yield* read, { ...claimedBy("a"), guards: "first" })
    }),

    make("of 100 simultaneous claims of one key exactly one is granted", function* ({ claim, read }) {
      const owners = Array.from({ length: 100 }, (_, index) => `owner ${index}`)
      const claims = yield* Effect.all(
        owners.map((owner) => claim(owner)),
        { concurrency: "unbounded" }
      )
      const winners = owners.filter((_, index) => claims[index]._tag === "Claimed")
      yield* expect("the number of claims granted", winners.length, 1)
      yield* expect("the record", yield* read, claimedBy(winners[0]))
      for (const claim of claims) {
        if (claim._tag === "Existing") yield* expect("what a loser sees", claim, claimedBy(winners[0]))
      }
    }),

    make("a claim that its own owner repeats is not granted twice", function* ({ claim }) {
      yield* claim("a")
      yield* expect("the repeated claim", yield* claim("a"), claimedBy("a"))
    }),

    make("records of different keys have nothing to do with each other", function* ({ claim, read, release, settle }) {
      yield* claim("a")
      yield* expect("the claim of another key", yield* claim("b", { suffix: "2" }), granted)
      yield* expect("the claim of a key that differs in case", yield* claim("b", { suffix: "X" }), granted)
      yield* expect("the claim of a key that differs in case", yield* claim("b", { suffix: "x" }), granted)
      yield* expect("settling with the owner of another key", yield* settle("b"), false)
      yield* expect("releasing with the owner of another key", yield* release("b"), false)
      yield* expect("the record", yield* read, claimedBy("a"))
    }),

    make("a read finds what is there and makes nothing", function* (steps) {
      yield* expect("a read of a key without a record", yield* steps.peek, undefined)
      yield* expect("the claim", yield* steps.claim("a"), granted)
      yield* expect("who holds the record", (yield* steps.record).owner, "a")
      yield* steps.release("a")
      yield* expect("a read after the release", yield* steps.peek, undefined)
      yield* steps.claim("a", { kept: lease })
      yield* pastRetention
      yield* expect("a read past the retention", yield* steps.peek, undefined)
    }),

    make("a step on a key without a record changes nothing and makes none", function* (steps) {
      yield* refusesEveryStep(steps, "a")
      yield* expect("the claim", yield* steps.claim("b"), granted)
    }),

    make("a settled record returns its result to every later claim", function* ({ claim, read, settle }) {
      yield* claim("a")
      yield* expect("settling", yield* settle("a", "done"), true)
      const first = yield* read
      yield* expect("the record", first, settledBy("a", "done", first.settledAt))
      yield* expect("when it was settled, as a number", typeof first.settledAt, "number")
      yield* pastLease
      yield* expect("the record later", yield* read, first)
    }),

    make("results, guards and owners come back byte for byte", function* () {
      for (const text of texts) {
        const { claim, read, settle } = yield* subject
        yield* claim(text, { guards: text })
        yield* expect("settling", yield* settle(text, text), true)
        const record = yield* read
        yield* expect("the record", record, { ...settledBy(text, text, record.settledAt), guards: text })
      }
    }),

    make("a settled record stays as it is, whatever its owner does", function* (steps) {
      yield* steps.claim("a")
      yield* steps.settle("a", "done")
      const record = yield* steps.read
      yield* refusesEveryStep(steps, "a", { settled: true })
      yield* pastLease
      yield* refusesEveryStep(steps, "a", { settled: true })
      yield* expect("the record", yield* steps.read, record)
      yield* expect("settling as another", yield* steps.settle("b", "other"), false)
    }),

    make("a settle that is repeated by its owner keeps the first result and its retention", function* (steps) {
      yield* steps.claim("a")
      yield* steps.settle("a", "first")
      const record = yield* steps.read
      yield* options.advance(halfRetention)
      yield* expect("settling again", yield* steps.settle("a", "second"), true)
      yield* expect("the record", yield* steps.read, record)
      yield* options.advance(Duration.times(retention, 0.75))
      yield* expect("a claim past the first retention", yield* steps.claim("b"), granted)
    }),

    make("a record tells when its first claim was granted, whatever came after", function* (steps) {
      yield* steps.claim("a")
      const { createdAt } = yield* steps.record
      yield* pastLease
      yield* steps.takeOver("a", "b")
      yield* expect("the time after a takeover", (yield* steps.record).createdAt, createdAt)
      yield* steps.settle("b")
      const settled = yield* steps.record
      yield* expect("the time after a settle", settled.createdAt, createdAt)
      yield* expect("that it came before the settle", createdAt < (settled.settledAt ?? 0), true)
      yield* pastRetention
      yield* steps.claim("c")
      yield* expect("that a new record has a later one", (yield* steps.record).createdAt > createdAt, true)
    }),

    make("a step by anyone but the owner changes nothing", function* (steps) {
      yield* steps.claim("a")
      yield* refusesEveryStep(steps, "b")
      yield* refusesEveryStep(steps, "A")
      yield* expect("the claimed record", yield* steps.read, claimedBy("a"))
      yield* pastLease
      yield* refusesEveryStep(steps, "b")
      yield* expect("the lapsed record", yield* steps.read, { ...claimedBy("a"), lapsed: true })
      yield* steps.markUnknown("a")
      yield* refusesEveryStep(steps, "b")
      yield* expect("the unknown record", yield* steps.read, unknownOf("a"))
    }),

    make("a lease lapses by the store's clock, and the record stays with its owner", function* ({ claim, read }) {
      yield* claim("a")
      yield* options.advance(halfLease)
      yield* expect("the record while its lease runs", yield* read, claimedBy("a"))
      yield* pastLease
      yield* expect("the record after its lease", yield* read, { ...claimedBy("a"), lapsed: true })
      yield* expect("a claim after the lease", yield* claim("b"), { ...claimedBy("a"), lapsed: true })
    }),

    make("an owner whose lease has lapsed may still settle", function* ({ claim, read, settle }) {
      yield* claim("a")
      yield* pastLease
      yield* expect("settling late", yield* settle("a", "late"), true)
      const record = yield* read
      yield* expect("the record", record, settledBy("a", "late", record.settledAt))
    }),

    make("a released key is free for a new claim", function* (steps) {
      yield* steps.claim("a")
      yield* expect("releasing", yield* steps.release("a"), true)
      yield* refusesEveryStep(steps, "a")
      yield* expect("the next claim", yield* steps.claim("b", { guards: "other" }), granted)
      yield* expect("the record", yield* steps.read, { ...claimedBy("b"), guards: "other" })
      yield* refusesEveryStep(steps, "a")
    }),

    make("an owner marks its attempt unknown at once", function* ({ claim, markUnknown, read, release }) {
      yield* claim("a")
      yield* expect("marking", yield* markUnknown("a"), true)
      yield* expect("the record", yield* read, unknownOf("a"))
      yield* expect("marking again", yield* markUnknown("a"), false)
      yield* expect("releasing", yield* release("a"), false)
      yield* pastLease
      yield* expect("the record later", yield* read, unknownOf("a"))
    }),

    make("others mark an attempt unknown only after its lease", function* ({ claim, markUnknown, read }) {
      yield* claim("a")
      yield* expect("marking while the lease runs", yield* markUnknown("a", { lapsed: true }), false)
      yield* expect("the record", yield* read, claimedBy("a"))
      yield* pastLease
      yield* expect("marking after the lease", yield* markUnknown("a", { lapsed: true }), true)
      yield* expect("the record", yield* read, unknownOf("a"))
    }),

    make("a late settle heals an unknown record", function* ({ claim, markUnknown, read, settle }) {
      yield* claim("a")
      yield* pastLease
      yield* markUnknown("a", { lapsed: true })
      yield* expect("settling late", yield* settle("a", "late"), true)
      const record = yield* read
      yield* expect("the record", record, settledBy("a", "late", record.settledAt))
    }),

    make("nobody takes over while the lease runs", function* ({ claim, read, takeOver }) {
      yield* claim("a")
      yield* expect("taking over", yield* takeOver("a", "b"), Option.none())
      yield* expect("the record", yield* read, claimedBy("a"))
    }),

    make("a lapsed record is taken over with a new lease and the next epoch", function* ({ claim, read, takeOver }) {
      yield* claim("a")
      for (const [previous, owner, epoch] of [
        ["a", "b", 2],
        ["b", "c", 3]
      ] as const) {
        yield* pastLease
        yield* expect("taking over", yield* takeOver(previous, owner), Option.some(epoch))
        yield* expect("the record", yield* read, { ...claimedBy(owner), epoch })
      }
      yield* pastLease
      yield* expect("the record after the new lease", yield* read, { ...claimedBy("c"), epoch: 3, lapsed: true })
    }),

    make("an unknown record is taken over at once", function* ({ claim, markUnknown, read, takeOver }) {
      yield* claim("a")
      yield* markUnknown("a")
      yield* expect("taking over", yield* takeOver("a", "b"), Option.some(2))
      yield* expect("the record", yield* read, { ...claimedBy("b"), epoch: 2 })
    }),

    make("of 20 simultaneous takers exactly one takes over", function* ({ claim, read, takeOver }) {
      yield* claim("a")
      yield* pastLease
      const owners = Array.from({ length: 20 }, (_, index) => `owner ${index}`)
      const epochs = yield* Effect.all(
        owners.map((owner) => takeOver("a", owner)),
        { concurrency: "unbounded" }
      )
      const winners = owners.filter((_, index) => Option.isSome(epochs[index]))
      yield* expect("the number of takers", winners.length, 1)
      yield* expect("the record", yield* read, { ...claimedBy(winners[0]), epoch: 2 })
    }),

    make("after a takeover every step of the previous owner is refused", function* (steps) {
      yield* steps.claim("a")
      yield* pastLease
      yield* steps.takeOver("a", "b")
      yield* refusesEveryStep(steps, "a")
      yield* expect("the record", yield* steps.read, { ...claimedBy("b"), epoch: 2 })
      yield* expect("settling as the new owner", yield* steps.settle("b", "second"), true)
      yield* refusesEveryStep(steps, "a")
      const record = yield* steps.read
      yield* expect("the record", record, { ...settledBy("b", "second", record.settledAt), epoch: 2 })
    }),

    make(
      "of a late settle and a takeover at the same time exactly one is done",
      function* ({ claim, settle, takeOver }) {
        yield* claim("a")
        yield* pastLease
        const [settled, taken] = yield* Effect.all([settle("a"), takeOver("a", "b")], { concurrency: "unbounded" })
        yield* expect("that one excludes the other", settled !== Option.isSome(taken), true)
      }
    ),

    make("of a settle and a release at the same time exactly one is done", function* ({ claim, release, settle }) {
      yield* claim("a")
      const [settled, released] = yield* Effect.all([settle("a"), release("a")], { concurrency: "unbounded" })
      yield* expect("that one excludes the other", settled !== released, true)
    }),

    make("a result is kept for its retention from the settle on, and then the key is free", function* (steps) {
      yield* steps.claim("a")
      yield* options.advance(halfRetention)
      yield* steps.settle("a", "done")
      yield* options.advance(Duration.times(retention, 0.75))
      // A store that tidies up as claims come must not take the record by when it was claimed.
      yield* steps.claim("b", { suffix: "2" })
      const record = yield* steps.read
      yield* expect("the record", record, settledBy("a", "done", record.settledAt))
      yield* options.advance(halfRetention)
      yield* expect("a claim past the retention", yield* steps.claim("b", { guards: "other" }), granted)
      yield* expect("the record", yield* steps.read, { ...claimedBy("b"), guards: "other" })
    }),

    make("an unknown record is kept for its retention from the mark on", function* ({ claim, markUnknown, read }) {
      yield* claim("a")
      yield* options.advance(halfRetention)
      yield* markUnknown("a")
      yield* options.advance(Duration.times(retention, 0.75))
      yield* expect("the record", yield* read, unknownOf("a"))
      yield* options.advance(halfRetention)
      yield* expect("a claim past the retention", yield* claim("b"), granted)
    }),

    make("a record past its retention is absent for every step, and the next claim starts afresh", function* (steps) {
      yield* steps.claim("a")
      yield* pastLease
      yield* steps.takeOver("a", "b")
      yield* pastRetention
      yield* refusesEveryStep(steps, "b")
      yield* expect("the claim", yield* steps.claim("c"), granted)
      yield* refusesEveryStep(steps, "b")
      yield* expect("the record", yield* steps.read, claimedBy("c"))
    }),

    make("a key that is claimed anew is not swept away with what expired before", function* (steps) {
      const old = Array.from({ length: 40 }, (_, index) => ` old ${index}`)
      for (const suffix of old) yield* steps.claim("a", { suffix })
      yield* pastRetention
      yield* steps.claim("b", { suffix: old[39] })
      for (let index = 0; index < 10; index++) yield* steps.claim("c", { suffix: ` new ${index}` })
      yield* expect("the claim of the key", yield* steps.claim("d", { suffix: old[39] }), claimedBy("b"))
    }),

    make("a record is there while its lease runs, however short its retention", function* (steps) {
      yield* steps.claim("a", { kept: Duration.times(lease, 0.25) })
      yield* options.advance(halfLease)
      yield* expect("the record", yield* steps.read, claimedBy("a"))
      yield* steps.markUnknown("a")
      yield* options.advance(Duration.subtract(retention, halfLease))
      yield* steps.takeOver("a", "b", { kept: Duration.times(lease, 0.25) })
      yield* options.advance(Duration.times(lease, 0.75))
      yield* expect("the record after a takeover", yield* steps.read, { ...claimedBy("b"), epoch: 2 })
      yield* expect("settling", yield* steps.settle("b"), true)
    }),

    ...(damage === undefined
      ? []
      : [
          make(
            "a record that can't be read is said to be so by a claim and a read, and changed by no step",
            function* () {
              for (const state of ["claimed", "unknown", "settled"]) {
                const steps = yield* subject
                yield* steps.claim("a")
                if (state === "unknown") yield* steps.markUnknown("a")
                if (state === "settled") yield* steps.settle("a", "a secret")
                const record = yield* steps.record
                const repair = yield* damage(steps.key)
                yield* refusesEveryStep(steps, "a")
                yield* pastLease
                yield* refusesEveryStep(steps, "a")
                yield* unreadable("a read", yield* steps.peek)
                yield* unreadable("a claim", yield* steps.tryClaim("b"))
                yield* repair
                const lapsed = state === "claimed"
                yield* expect("the record when it can be read again", yield* steps.record, { ...record, lapsed })
              }
            }
          )
        ])
  ]
}

/** Two instances as one, of which each step asks the next. */
const inTurn = (
  first: IdempotencyStore["Service"],
  second: IdempotencyStore["Service"]
): IdempotencyStore["Service"] => {
  let turns = 0
  const step = <A>(ask: (store: IdempotencyStore["Service"]) => Effect.Effect<A, StoreError>) =>
    Effect.suspend(() => ask(turns++ % 2 === 0 ? first : second))
  return {
    scope: first.scope,
    claim: (options) => step((store) => store.claim(options)),
    read: (key) => step((store) => store.read(key)),
    settle: (options) => step((store) => store.settle(options)),
    release: (options) => step((store) => store.release(options)),
    markUnknown: (options) => step((store) => store.markUnknown(options)),
    takeOver: (options) => step((store) => store.takeOver(options))
  }
}

const granted = { _tag: "Claimed" } as const

/** What the cases compare: all of a record but when it began, which is the store's own. */
type Seen = Omit<Existing, "createdAt">

const seen = (found: Claim): Effect.Effect<Seen, ContractViolation> => {
  if (found._tag !== "Existing") return violation("a claim", "the record that exists", found)
  const { createdAt, ...record } = found
  return Number.isFinite(createdAt) ? Effect.succeed(record) : violation("when it was claimed", "a number", createdAt)
}

const unreadable = (what: string, found: Claim | undefined): Effect.Effect<void, ContractViolation> => {
  if (found?._tag !== "Unreadable") return violation(what, "that the record is unreadable", found)
  return found.reason.includes("a secret")
    ? violation(what, "a reason that shows nothing of the record", found.reason)
    : Effect.void
}

const granting = (found: Claim): Effect.Effect<Seen | typeof granted, ContractViolation> =>
  found._tag === "Claimed" ? Effect.succeed(found) : seen(found)

const claimedBy = (owner: string): Seen => ({
  _tag: "Existing",
  state: "claimed",
  owner,
  epoch: 1,
  guards: "guards",
  lapsed: false,
  result: undefined,
  settledAt: undefined
})

const unknownOf = (owner: string): Seen => ({ ...claimedBy(owner), state: "unknown" })

const settledBy = (owner: string, result: string, settledAt: number | undefined): Seen => ({
  ...claimedBy(owner),
  state: "settled",
  result,
  settledAt
})

const texts = [
  "",
  " ",
  "null",
  `"double" 'single' \`back\` \\ \\" %s $1 ?1 :key; -- /* */`,
  "line\nline\r\nline\ttab\u0001",
  "é e\u0301 \u00a0 \ufeff \u2028 漢字 😀 \u{10ffff} \ufffd",
  '{"total":"12.50","lines":[{"name":"Ærøskøbing ☃"}]}',
  "漢x".repeat(16 * 1024)
]

interface Steps {
  readonly settle: (owner: string, result?: string) => Effect.Effect<boolean, StoreError>
  readonly release: (owner: string) => Effect.Effect<boolean, StoreError>
  readonly markUnknown: (owner: string, options?: { readonly lapsed?: boolean }) => Effect.Effect<boolean, StoreError>
  readonly takeOver: (previousOwner: string, owner: string) => Effect.Effect<Option.Option<number>, StoreError>
}

const refusesEveryStep = Effect.fnUntraced(function* (steps: Steps, owner: string, { settled = false } = {}) {
  yield* expect(`settling as ${owner}`, yield* steps.settle(owner, "again"), settled)
  yield* expect(`releasing as ${owner}`, yield* steps.release(owner), false)
  yield* expect(`marking as ${owner}`, yield* steps.markUnknown(owner), false)
  yield* expect(`marking as ${owner} after the lease`, yield* steps.markUnknown(owner, { lapsed: true }), false)
  yield* expect(`taking over from ${owner}`, yield* steps.takeOver(owner, "taker"), Option.none())
})

const expect = (what: string, actual: unknown, expected: unknown): Effect.Effect<void, ContractViolation> =>
  Equal.equals(actual, expected) ? Effect.void : violation(what, expected, actual)

const violation = (what: string, expected: unknown, actual: unknown): Effect.Effect<never, ContractViolation> =>
  Effect.fail(new ContractViolation({ what, expected, actual }))

const show = (value: unknown): string => {
  const text = Inspectable.toStringUnknown(value, 0)
  return text.length > 400 ? `${text.slice(0, 400)}…` : text
}
