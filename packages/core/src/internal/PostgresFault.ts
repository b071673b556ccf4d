/**
 * Says what is wrong when PostgreSQL refuses or does not answer.
 */
import * as Predicate from "effect/Predicate"
import type { SqlError } from "effect/sql/SqlError"
import { StoreError } from "../IdempotencyStore.ts"

/** What stands between a store and its table. */
export interface Faults {
  /** Of a code: a SQLSTATE, or that of Node's socket. */
  readonly of: (code: string) => StoreError
  /**
   * Of an error of the client. PostgreSQL's own words stay out of it, and the error is no cause of it, since both may
   * quote what was to be stored.
   */
  readonly from: (error: SqlError) => StoreError
}

export const make = (table: string, migrations: string): Faults => {
  const faults = list(table, migrations)
  const find = (code: string) => faults.find(({ codes }) => codes.some((each) => code.startsWith(each)))
  const of = (code: string): StoreError => {
    const { action, what } = find(code) ?? { what: `failed (${code})`, action: "Its log says why" }
    return new StoreError({ reason: `PostgreSQL ${what}. ${action}.` })
  }
  return {
    of,
    from: ({ reason }) => {
      // https://www.postgresql.org/docs/current/errcodes-appendix.html: 08006 is a lost connection, 25P02 a transaction
      // in which a statement has failed; without a code, that is what the driver has found out itself.
      if (Predicate.hasProperty(reason.cause, "code") && Predicate.isString(reason.cause.code))
        return of(reason.cause.code)
      if (reason._tag === "ConnectionError") return of("08006")
      return of(reason.operation === "commit" ? "25P02" : reason._tag)
    }
  }
}

const list = (
  table: string,
  migrations: string
): ReadonlyArray<{ readonly codes: ReadonlyArray<string>; readonly what: string; readonly action: string }> => [
  {
    codes: ["ECONNREFUSED", "ENOENT"],
    what: "refuses connections",
    action: "Start it, or correct the client's host and port"
  },
  {
    codes: ["ENOTFOUND", "EAI_AGAIN"],
    what: "is on a host whose name is not known",
    action: "Correct the client's host, or the name service"
  },
  {
    codes: ["08", "57P", "ECONN", "EPIPE", "ETIMEDOUT", "EHOST", "ENET"],
    what: "can't be reached, or has ended the connection",
    action: "See whether it runs, what its log says, and how the client is configured"
  },
  {
    codes: ["53300"],
    what: "has no connection left",
    action: "Raise max_connections, or make the clients' pools smaller"
  },
  { codes: ["53100"], what: "has a full disk", action: "Free some space; no record is lost" },
  { codes: ["53"], what: "is short of memory or another resource", action: "Its log says which" },
  { codes: ["28"], what: "refuses the client's user", action: "Correct the user, the password, or pg_hba.conf" },
  { codes: ["3D000"], what: "has no database of the client's name", action: "Correct the client's database" },
  {
    codes: ["25006"],
    what: "takes no writes from the client",
    action: "Connect to the primary, not to a standby, and with default_transaction_read_only off"
  },
  {
    codes: ["25P02"],
    what: "rolled the transaction back, since a statement in it had failed",
    action: "Let that failure end the transaction"
  },
  {
    codes: ["42501"],
    what: `does not let the client's user use the table ${table}`,
    action: `GRANT SELECT, INSERT, UPDATE, DELETE ON ${table}, SELECT ON ${migrations}, and USAGE on their schema`
  },
  { codes: ["3F000"], what: `has no schema for the table ${table}`, action: "Create it, or give another table" },
  {
    codes: ["42P01"],
    what: `has no table ${table}`,
    action: "Run SqlIdempotencyStore.layerMigrations for it, as the schema's owner"
  },
  { codes: ["42P07"], what: `has a table ${table} that is not the store's`, action: "Give another table" },
  {
    codes: ["42"],
    what: `has a table ${table} that is not as its migrations made it`,
    action: "Restore it from a backup, or give another table"
  },
  { codes: ["23"], what: "rolled the transaction back, since a constraint fails", action: "See what it has written" },
  {
    codes: ["40"],
    what: "rolled the transaction back in favour of another",
    action: "The same call again may succeed"
  },
  { codes: ["54"], what: "cannot index so long a key", action: "Keep keys below 2,600 bytes" },
  {
    codes: ["57014", "55P03"],
    what: "ran into a timeout of its own",
    action: "See what it waits for in pg_stat_activity"
  },
  { codes: ["XX"], what: "is damaged, or has met a fault of its own", action: "See its log, and check its disk" }
]
