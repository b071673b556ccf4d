/**
 * Keeps a store's statements out of its callers' transactions, and in those that the store itself has begun.
 *
 * A `SqlClient` carries its open transaction in the fiber's context, so that every statement of an effect joins it. What a
 * store has recorded must not be undone when a caller rolls back.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import * as SqlClient from "effect/sql/SqlClient"
import type { Connection } from "effect/sql/SqlConnection"
import { isSqlError, type SqlError } from "effect/sql/SqlError"

export interface SqlTransactions {
  /** True where `run` has opened the transaction that the fiber is in. */
  readonly isOpen: (fiber: Fiber.Fiber<unknown, unknown>) => boolean
  /** Runs an effect in the transaction that is open where `isOpen`, elsewhere in none. */
  readonly apart: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /**
   * Runs an effect in a transaction, or in a savepoint of the one that is open. `describe` turns what PostgreSQL says to its
   * beginning and its end into an error. An effect that fails keeps its own, whether or not the rollback gets through: a
   * server that is not told rolls back too.
   */
  readonly run: <A, E, R, F>(
    effect: Effect.Effect<A, E, R>,
    describe: (error: SqlError) => F
  ) => Effect.Effect<A, E | F, R>
}

export const make = (sql: SqlClient.SqlClient): SqlTransactions => {
  /** The connections on which `run` has a transaction open. */
  const connections = new Set<Connection>()

  const openOn = (fiber: Fiber.Fiber<unknown, unknown>): Connection | undefined =>
    Context.getOrUndefined(fiber.context, sql.transactionService)?.[0]

  const isOpen = (fiber: Fiber.Fiber<unknown, unknown>): boolean => {
    const connection = openOn(fiber)
    return connection !== undefined && connections.has(connection)
  }

  const outside = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.updateContext(
      effect,
      (context: Context.Context<R>) =>
        // It leaves out what no effect asks for by its type.
        Context.omit(sql.transactionService)(context) as Context.Context<R>
    )

  const begin = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | SqlError, R> =>
    Effect.flatMap(SqlClient.BeginTransaction, (given) => {
      const marked: Effect.Effect<A, E, R> = Effect.withFiber((fiber) => {
        const connection = openOn(fiber)!
        connections.add(connection)
        return Effect.ensuring(
          // The statement is for this transaction alone, not for those of other clients within.
          Effect.provideService(effect, SqlClient.BeginTransaction, given),
          Effect.sync(() => connections.delete(connection))
        )
      })
      return Effect.provideService(
        sql.withTransaction(marked),
        SqlClient.BeginTransaction,
        "BEGIN ISOLATION LEVEL READ COMMITTED"
      )
    })

  return {
    isOpen,
    apart: (effect) =>
      Effect.withFiber((fiber) => (openOn(fiber) === undefined || isOpen(fiber) ? effect : outside(effect))),
    run: <A, E, R, F>(effect: Effect.Effect<A, E, R>, describe: (error: SqlError) => F) =>
      Effect.withFiber((fiber): Effect.Effect<A, E | F, R> => {
        let failure: Cause.Cause<E> | undefined
        const observed = Effect.onError(effect, (cause) =>
          Effect.sync(() => {
            failure = cause
          })
        )
        const transaction = isOpen(fiber) ? sql.withTransaction(observed) : outside(begin(observed))
        return Effect.catchCause(transaction, (cause): Effect.Effect<never, E | F> => {
          if (failure !== undefined) return Effect.failCause(failure)
          const error = cause.reasons.map(thrown).find(isSqlError)
          // Without an error of the client all that is left is a defect or an interruption.
          return error === undefined ? Effect.failCause(cause as Cause.Cause<never>) : Effect.fail(describe(error))
        })
      })
  }
}

const thrown = (reason: Cause.Reason<unknown>): unknown =>
  Cause.isFailReason(reason) ? reason.error : Cause.isDieReason(reason) ? reason.defect : undefined
