/**
 * What a server of this package fails with when it can't listen.
 */
import * as Schema from "effect/Schema"

/**
 * Says which address a server can't listen on, why, and what to change. `code` is the system's own, such as `EADDRINUSE`.
 *
 * @category errors
 * @since 0.1.0
 */
export class ListenError extends Schema.TaggedError<ListenError>("@ferrule/mcp/ListenError")("ListenError", {
  address: Schema.String,
  code: Schema.String,
  problem: Schema.String
}) {
  override get message(): string {
    return `Nothing can listen on ${this.address}: ${this.problem}.`
  }
}
