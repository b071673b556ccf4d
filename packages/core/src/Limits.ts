/**
 * How often a caller may have a tool executed, and how many executions of it run at once.
 *
 * Both are declared on the tool, or the rate on the connector for all tools that have none of their own. They count
 * executions, not calls: a write that is answered by an earlier call of the same operation, or that joins one which still
 * runs, takes nothing, since "nothing was written" would not be true of it. What is refused has not begun: the caller gets
 * a `TransientError`, not applied, that says how long to wait. Calls that are invalid or not allowed are refused before, so
 * that no limit tells of a tool that is hidden. Floods by strangers are for what stands in front of the transport.
 */
import type * as Duration from "effect/Duration"

/**
 * At most `limit` executions of the tool in each `window`, for each principal. They may come at once; what they have used
 * up comes back as the window passes.
 *
 * It needs Effect's `RateLimiter` (`effect/persistence`), with `layerStoreMemory` for one process, or `layerStoreRedis` for
 * several that share their counts. The limiter sees hashes of principals. When it fails, or does not answer within two
 * seconds, that is logged, and `whenUnavailable` decides: `"refuse"` (default), since a limit that ends with its server's
 * failure does not hold against who can bring that about, or `"allow"`.
 *
 * @category models
 * @since 0.1.0
 */
export interface RateLimit {
  readonly limit: number
  readonly window: Duration.Input
  readonly whenUnavailable?: "refuse" | "allow"
}

/**
 * At most `limit` executions of the tool at once, retries included, in each process. One more waits up to `wait` for its
 * turn (1 second; zero refuses at once). The wait comes before the tool's timeout begins. A transactional write does not
 * wait, since it would keep a connection from those that it waits for.
 *
 * @category models
 * @since 0.1.0
 */
export interface Concurrency {
  readonly limit: number
  readonly wait?: Duration.Input
}

/**
 * A limit as a tool has it, with nothing left to default.
 *
 * @category models
 * @since 0.1.0
 */
export interface Declared {
  readonly rateLimit: (Required<RateLimit> & { readonly window: Duration.Duration }) | undefined
  readonly concurrency: (Required<Concurrency> & { readonly wait: Duration.Duration }) | undefined
}
