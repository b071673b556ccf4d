/**
 * A process that is killed before or after any statement of its store, or on either side of what it writes, and the calls
 * that come after it. What they are told, and how many points there are, is in `fixtures/crashPromises.ts`: a statement
 * that is added shows there. One process makes many writes, each of which stops at a point of its own and does nothing from
 * then on; when all of them have, the process kills itself with SIGKILL.
 */
import type { Tool } from "@ferrule/core"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Record } from "effect"
import * as Crash from "./fixtures/crash.ts"
import { writes } from "./fixtures/crashBooks.ts"
import {
  crashes,
  names,
  nextAfter,
  type PathName,
  paths,
  pointsOf,
  pointsOfSecond,
  rows,
  secondPaths,
  twice,
  words
} from "./fixtures/crashPromises.ts"
import { TestSchema } from "./fixtures/postgres.ts"

const outside = ["repeatable", "downstream-key", "reconcile", "unknown"] as const

type Store = "SQLite" | "Redis" | "PostgreSQL" | "PostgreSQL with the ledger in it"

const stores: Record<
  Store,
  { readonly newTarget: Crash.NewTarget; readonly recoveries: ReadonlyArray<Tool.Recovery> }
> = {
  SQLite: { newTarget: Crash.sqlite, recoveries: outside },
  Redis: { newTarget: Crash.redis, recoveries: outside },
  PostgreSQL: { newTarget: Crash.postgres, recoveries: outside },
  "PostgreSQL with the ledger in it": { newTarget: Crash.bank, recoveries: ["transactional"] }
}

const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1)

/** The history of one write: what has become of it in each process. */
interface History {
  readonly what: string
  readonly recovery: Tool.Recovery
  readonly path: PathName
  readonly failAt: number
  readonly lives: ReadonlyArray<Crash.Life>
}

/** Nothing is done twice, no result is made up or lost, and all callers are told the same. */
const judge = ({ lives, recovery, what }: History) => {
  const { entries } = lives[lives.length - 1]
  const results = new Set(lives.flatMap(({ answer }) => answer?.entry ?? []))
  assert.isAtMost(results.size, 1, `${what}: one result for all`)
  for (const [index, { answer, entries }] of lives.entries()) {
    if (answer?.entry === undefined) continue
    const there = entries.some(({ part, entry }) => part === "entry" && entry === answer.entry)
    assert.isTrue(there, `${what}: call ${index + 1} is told of an entry that the ledger does not have`)
  }
  if (recovery === "repeatable") return
  const parts = entries.map(({ part }) => part)
  assert.strictEqual(new Set(parts).size, parts.length, `${what}: ${parts.join(", ")}`)
}

/** Kills a write of each kind at each of its points, and lets it be once. Then a process calls again, and another one. */
const killOnce = Effect.fnUntraced(function* (target: Crash.Target, recoveries: ReadonlyArray<Tool.Recovery>) {
  const cases = recoveries.flatMap((recovery) =>
    names.flatMap((path) =>
      upTo(pointsOf(rows[recovery][path]).length + 1).map((failAt) => ({ recovery, path, failAt }))
    )
  )
  const calls = cases.map((each): Crash.Call => {
    const what = [each.recovery, each.path, each.failAt].join("-")
    return {
      account: what.replaceAll(/\W+/g, "-"),
      recovery: each.recovery,
      path: paths[each.path],
      failAt: each.failAt
    }
  })
  const first = yield* Crash.live(target, calls)
  yield* lapse(recoveries)
  const again = calls.map((call, index) => later(call, cases[index].path))
  const second = yield* Crash.live(target, again)
  const third = yield* Crash.live(target, again)
  return cases.map((each, index) => ({
    ...each,
    what: `${each.path}, killed at point ${each.failAt}`,
    lives: [first[index], second[index], third[index]]
  }))
})

/** Kills it at each point of the second call too, when nothing but the records is left of the first. */
const killTwice = Effect.fnUntraced(function* (target: Crash.Target, recoveries: ReadonlyArray<Tool.Recovery>) {
  const cases = recoveries.flatMap((recovery) =>
    twice[recovery].flatMap(([path, seconds, groups]) =>
      groups.split(" | ").flatMap((group, index) =>
        group.split(" ").flatMap((statements, column) => {
          if (statements === "-") return []
          const points = pointsOfSecond(statements)
          return upTo(points.length + 1).map((secondFailAt) => ({
            recovery,
            path,
            failAt: index + 1,
            second: seconds[column],
            points,
            secondFailAt
          }))
        })
      )
    )
  )
  const calls = cases.map((each): Crash.Call => {
    const what = ["twice", each.recovery, each.path, each.failAt, each.second, each.secondFailAt].join("-")
    return {
      account: what.replaceAll(/\W+/g, "-"),
      recovery: each.recovery,
      path: paths[each.path],
      failAt: each.failAt
    }
  })
  const first = yield* Crash.live(target, calls)
  yield* lapse(recoveries)
  const second = yield* Crash.live(
    target,
    calls.map((call, index) => ({ ...call, path: secondPaths[cases[index].second], failAt: cases[index].secondFailAt }))
  )
  yield* lapse(recoveries)
  const third = yield* Crash.live(
    target,
    calls.map((call, index) => later(call, cases[index].path))
  )
  return cases.map((each, index) => ({
    ...each,
    what: `${each.path}, killed at point ${each.failAt}, then ${each.second}, killed at point ${each.secondFailAt}`,
    lives: [first[index], second[index], third[index]]
  }))
})

/** Until the leases of those who died are over. A transaction has none. */
const lapse = (recoveries: ReadonlyArray<Tool.Recovery>) =>
  Effect.forEach(
    recoveries.filter((recovery) => recovery !== "transactional"),
    (recovery) => Effect.sleep(writes[recovery].idempotency.lease),
    { concurrency: "unbounded" }
  )

/** A call that meets nothing, by a caller who waits and calls again when told to. */
const later = ({ account, path: { key, step }, recovery }: Crash.Call, name: PathName): Crash.Call => ({
  account,
  recovery,
  path: {
    ...(step && { step: "first" as const }),
    ...(key && { key: name === "has a key, then another" ? "second" : key })
  },
  patient: true
})

type Killed<F extends typeof killOnce | typeof killTwice> = Fiber.Fiber<Effect.Success<ReturnType<F>>, unknown>

class Histories extends Context.Service<
  Histories,
  Record<Store, { readonly once: Killed<typeof killOnce>; readonly twice: Killed<typeof killTwice> }>
>()("@ferrule/core/test/Histories") {
  /** All of them at once, since they spend their time waiting for leases to end. */
  static readonly layer = Layer.effect(
    Histories,
    Effect.all(
      Record.map(stores, ({ newTarget, recoveries }) =>
        Effect.flatMap(newTarget, (target) =>
          Effect.all({
            once: Effect.forkScoped(killOnce(target, recoveries)),
            twice: Effect.forkScoped(killTwice(target, recoveries))
          })
        )
      )
    )
  ).pipe(Layer.provideMerge(TestSchema.layer))
}

/** What the last call may be told, by what the two crashes have left. */
const ends = ({
  failAt,
  secondFailAt,
  path,
  recovery,
  second
}: Effect.Success<ReturnType<typeof killTwice>>[number]) => {
  if (recovery === "unknown") {
    const left = nextAfter(rows.unknown[path], failAt)
    return [words[left === "E" ? nextAfter(rows.unknown[second as PathName], secondFailAt) : left]]
  }
  const done = ["executed", "replayed"]
  if (second === "is declined" && failAt === 1) return [...done, "replayed ValidationError"]
  return recovery === "reconcile" && path === "has a step" ? [...done, "unsure"] : done
}

const limit = 240_000

layer(Histories.layer, { excludeTestServices: true, timeout: limit })("a process that is killed", (it) => {
  for (const store of Record.keys(stores)) {
    for (const recovery of stores[store].recoveries) {
      const { once, twice } = crashes[recovery]

      it.effect(
        `at any of ${once} points leaves to the next call what ${recovery} promises (${store})`,
        Effect.fnUntraced(function* () {
          const histories = yield* Fiber.join((yield* Histories)[store].once)
          let killed = 0
          for (const history of histories.filter((history) => history.recovery === recovery)) {
            const { failAt, lives, path, what } = history
            const [first, second, third] = lives
            const row = rows[recovery][path]
            const points = pointsOf(row)
            if (first.answer === undefined) killed++
            assert.deepStrictEqual(first.points, points.slice(0, failAt), what)
            assert.strictEqual(first.answer?.is, failAt > points.length ? row[1] : undefined, what)
            assert.strictEqual(second.answer?.is, words[nextAfter(row, failAt)], what)
            assert.deepStrictEqual(
              third.answer,
              { ...second.answer, ...(second.answer?.is === "executed" && { is: "replayed" }) },
              what
            )
            judge(history)
          }
          assert.strictEqual(killed, once)
        }),
        limit
      )

      it.effect(
        `at any of ${twice} pairs of points, the second in the next call, still leaves what ${recovery} promises (${store})`,
        Effect.fnUntraced(function* () {
          const histories = yield* Fiber.join((yield* Histories)[store].twice)
          let killed = 0
          for (const history of histories.filter((history) => history.recovery === recovery)) {
            const { lives, points, secondFailAt, what } = history
            const [first, second, third] = lives
            if (second.answer === undefined) killed++
            assert.isUndefined(first.answer, what)
            assert.deepStrictEqual(second.points, points.slice(0, secondFailAt), what)
            assert.strictEqual(second.answer === undefined, secondFailAt <= points.length, what)
            assert.include(ends(history), third.answer!.is, what)
            judge(history)
          }
          assert.strictEqual(killed, twice)
        }),
        limit
      )
    }
  }

  const after = (which: "once" | "twice") =>
    Effect.flatMap(Histories, (histories) =>
      Effect.map(
        Effect.forEach(Record.values(histories), (each): Effect.Effect<ReadonlyArray<History>, unknown> =>
          Fiber.join(each[which])
        ),
        (each) => each.flat()
      )
    )

  it.effect(
    "is refused for good only where the ledger has nothing",
    Effect.fnUntraced(function* () {
      const wrong = (yield* after("twice")).filter(
        ({ lives: [, , third] }) => third.answer?.is === "replayed ValidationError" && third.entries.length > 0
      )
      assert.deepStrictEqual(wrong.map(told), [])
    }),
    limit
  )

  it.effect(
    "is told that nothing was applied only where the ledger has nothing",
    Effect.fnUntraced(function* () {
      const wrong = (yield* after("twice")).filter(({ lives }) =>
        lives.some(({ answer, entries }) => answer?.is === "not applied" && entries.length > 0)
      )
      assert.deepStrictEqual(wrong.map(told), [])
    }),
    limit
  )

  it.effect(
    "with a key, and called with another one, has the same result for that one again",
    Effect.fnUntraced(function* () {
      const wrong = (yield* after("once")).filter(
        ({ lives: [, second, third] }) => second.answer?.entry !== third.answer?.entry
      )
      assert.deepStrictEqual(wrong.map(told), [])
    }),
    limit
  )
})

const told = ({ lives, recovery, what }: History) =>
  [recovery, what, ...lives.map(({ answer }) => answer?.is)].join(", ")
