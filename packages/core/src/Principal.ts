/**
 * Who is calling: the identity that policies decide on and that idempotency records belong to.
 *
 * An identity layer makes one for each call, and a handler reads it with `yield* Principal`. It never holds the
 * credential that proved it. A principal without roles and scopes may do nothing that a policy guards.
 */
import * as Context from "effect/Context"
import * as Schema from "effect/Schema"

// Ill-formed names would all hash as the same replacement character, and so share idempotency keys.
const Name = Schema.String.check(
  Schema.isBetweenLength(1, 256),
  Schema.makeFilter((name) => name.isWellFormed(), { expected: "well-formed Unicode" })
)

/**
 * Describes a principal as data: `id` is unique within `tenant`; `roles` and `scopes` are exact, case-sensitive names;
 * `claims` are further facts that a policy's predicate may read.
 *
 * @category models
 * @since 0.1.0
 */
export const PrincipalData = Schema.Struct({
  id: Name,
  tenant: Schema.optionalKey(Name),
  roles: Schema.Array(Name),
  scopes: Schema.Array(Name),
  claims: Schema.Record(Schema.String, Schema.Json)
})

/**
 * @category models
 * @since 0.1.0
 */
export type PrincipalData = typeof PrincipalData.Type

const decode = Schema.decodeUnknownSync(PrincipalData)

/**
 * Provides the caller of the current operation.
 *
 * @category services
 * @since 0.1.0
 */
export class Principal extends Context.Service<Principal, PrincipalData>()("@ferrule/core/Principal") {
  /**
   * Makes a principal; roles, scopes and claims are empty unless given.
   *
   * Throws when a name is empty, longer than 256 characters, or not well-formed Unicode.
   *
   * @since 0.1.0
   */
  static make(options: {
    readonly id: string
    readonly tenant?: string
    readonly roles?: ReadonlyArray<string>
    readonly scopes?: ReadonlyArray<string>
    readonly claims?: Readonly<Record<string, Schema.Json>>
  }): PrincipalData {
    return decode({ roles: [], scopes: [], claims: {}, ...options })
  }
}
