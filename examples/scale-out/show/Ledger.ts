/**
 * Eyes of the show's own on the desk's database, and a hand on it: it counts what is really there, and it can hold the
 * desk, so that whoever is writing at that moment is in the middle of it.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Fiber, Layer, Redacted, Schedule, Schema, type Scope } from "effect"
import type { SqlClient } from "effect/sql"
import { DemoError } from "../../service-desk/demo/World.ts"

/** Connects to a database, until the scope closes. */
export const connect = (url: string): Effect.Effect<SqlClient.SqlClient, DemoError, Scope.Scope> =>
  Layer.build(PgClient.layer({ url: Redacted.make(url), applicationName: "scale-out" })).pipe(
    Effect.map(Context.get(PgClient.PgClient)),
    // A pool that nobody has used yet has not connected.
    Effect.tap((sql) => sql`SELECT 1`),
    Effect.mapError(({ reason }) => new DemoError({ message: `PostgreSQL does not answer: ${String(reason.cause)}` }))
  )

export const make = Effect.fnUntraced(function* (url: string) {
  const sql = yield* connect(url)
  const hand = yield* connect(url)

  const number = (query: string, ...values: ReadonlyArray<string>) =>
    Effect.orDie(Effect.flatMap(sql.unsafe(query, values), (rows) => decodeNumber(rows))).pipe(
      Effect.map(([{ n }]) => n)
    )

  const writing = Effect.map(
    Effect.orDie(
      Effect.flatMap(
        sql`SELECT DISTINCT application_name AS name FROM pg_locks JOIN pg_stat_activity USING (pid)
          WHERE relation = 'ticket'::regclass AND NOT granted`,
        decodeNames
      )
    ),
    (rows) => rows.map(({ name }) => name)
  )

  return {
    /** How many tickets there are whose subject begins so. */
    tickets: (subject: string) =>
      number("SELECT count(*)::int AS n FROM ticket WHERE starts_with(subject, $1)", subject),

    /** How many subjects these have. */
    subjects: (subject: string) =>
      number("SELECT count(DISTINCT subject)::int AS n FROM ticket WHERE starts_with(subject, $1)", subject),

    /** How often the desk was asked to open a ticket: each time, it draws a number. */
    asked: number("SELECT (CASE WHEN is_called THEN last_value - 1000 ELSE 0 END)::int AS n FROM ticket_number"),

    replies: number("SELECT count(*)::int AS n FROM reply"),

    /**
     * Makes calls while whoever writes a ticket has to wait, until the effect has run. Returns the calls, which go on from
     * there, and what the effect has returned. Where a call fails before, so does this.
     */
    holding: <A, E, B, E2>(calls: Effect.Effect<A, E>, effect: Effect.Effect<B, E2>) =>
      hand
        .withTransaction(
          Effect.gen(function* () {
            yield* hand`LOCK TABLE ticket IN SHARE MODE`
            const running = yield* Effect.forkChild(calls, { startImmediately: true })
            const failed = Effect.andThen(Fiber.join(running), Effect.never)
            return [running, yield* Effect.raceFirst(effect, failed)] as const
          })
        )
        .pipe(Effect.catchTag("SqlError", (error) => Effect.die(error))),

    /** The name of an instance, other than the one that is given, that is in the middle of a write. */
    writer: (other?: string) =>
      Effect.map(writing, (names) => names.find((name) => name !== other)).pipe(
        Effect.repeat({
          until: (name) => name !== undefined,
          schedule: Schedule.spaced("10 millis").pipe(Schedule.upTo({ duration: "20 seconds" }))
        }),
        Effect.filterOrFail(
          (name) => name !== undefined,
          () => new DemoError({ message: "no instance began to write in twenty seconds" })
        )
      )
  }
})

export type Ledger = Effect.Success<ReturnType<typeof make>>

const decodeNumber = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ n: Schema.Int })))
const decodeNames = Schema.decodeUnknownEffect(Schema.Array(Schema.Struct({ name: Schema.String })))
