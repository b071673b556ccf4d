/**
 * Turns what an upstream did into one of the three error classes, so that no author maps status codes by hand.
 *
 * `json` checks the status of a response and decodes its body; `classify` ends any other pipeline of HTTP, SQL and timeouts.
 * What no model can act on, such as a redirect, a broken contract or wrong SQL, ends as a `Fault`, a defect. No text
 * made here holds a body, an address or a header: those can hold secrets.
 *
 * `applied` speaks of the one request that failed. A handler that writes twice has to say itself that the first write
 * stands. A client that retries (`HttpClient.retryTransient`) or follows redirects, as `fetch` does unless it is given
 * `{ redirect: "manual" }`, hides earlier requests that may have been carried out: for writes, leave retries to the tool.
 */
import type { TimeoutError } from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Headers from "effect/http/Headers"
import type { HttpBodyError } from "effect/http/HttpBody"
import type { HttpClientError, TransportError } from "effect/http/HttpClientError"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import * as Logger from "effect/Logger"
import * as Predicate from "effect/Predicate"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { ConstraintError, SqlError, UniqueViolation } from "effect/sql/SqlError"
import {
  AuthorizationError,
  type ConnectorError,
  type Issue,
  TransientError,
  ValidationError
} from "./ConnectorError.ts"
import { timed } from "./internal/metrics.ts"

type Response = HttpClientResponse.HttpClientResponse

/**
 * How an upstream is spoken of, and where it differs from what its kind does.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** How a sentence about it begins: `"The ledger"`. */
  readonly name: string
  /** Errors of the author's own, by HTTP status or by the reason of a `SqlError`. They are the model's to read. */
  readonly on?: {
    readonly [status: number]: (response: Response) => ConnectorError
    readonly UniqueViolation?: (reason: UniqueViolation) => ConnectorError
    readonly ConstraintError?: (reason: ConstraintError) => ConnectorError
  }
  /** Statuses of transient errors with which this upstream promises that it has done nothing, such as 503. */
  readonly notApplied?: ReadonlyArray<number>
  /** Reads the faults that the upstream names in the body of a refusal. `issues` makes one from a schema. */
  readonly issues?: (response: Response) => Effect.Effect<ReadonlyArray<Issue>>
}

/**
 * What `classify` turns into a `ConnectorError`; one that is already there stays as it is.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure = HttpClientError | HttpBodyError | TimeoutError | SqlError | Schema.SchemaError | ConnectorError

/**
 * What an upstream did, or was asked to do, that neither another argument nor another attempt can mend. It is a defect:
 * the operators read it and the model does not. With `applied: "no"` it says that a write has not happened, since its
 * request was never sent; its key is then free for another attempt once the fault is mended.
 *
 * @category errors
 * @since 0.1.0
 */
export class Fault extends Schema.TaggedError<Fault>("@ferrule/core/Upstream/Fault")("UpstreamFault", {
  upstream: Schema.String,
  reason: Schema.String,
  applied: Schema.optionalKey(Schema.Literal("no")),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return `${this.upstream} ${this.reason}`
  }
}

/**
 * Classifies every failure of an effect. A response that it succeeds with fails too, unless its status is 2xx. How long it
 * took is measured in `ferrule.upstream.duration`.
 *
 * Use it last: `desk.get(url).pipe(Effect.timeout("2 seconds"), Upstream.classify({ name: "The desk" }))`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const classify = (options: Options) => {
  const measured = timed(options.name)
  const classified = sorted(options)
  return <A, R>(self: Effect.Effect<A, Failure, R>): Effect.Effect<A, ConnectorError, R> => measured(classified(self))
}

const sorted =
  (options: Options) =>
  <A, R>(self: Effect.Effect<A, Failure, R>): Effect.Effect<A, ConnectorError, R> =>
    Effect.flatMap(
      Effect.catch(self, (error): Effect.Effect<never, ConnectorError> => {
        switch (error._tag) {
          case "HttpClientError":
            return fromHttpClientError(error, options)
          case "TimeoutError":
            return fromTimeout(error, options)
          case "SqlError":
            return fromSqlError(error, options)
          case "SchemaError":
            return die(options, `sent an answer other than agreed, ${placesOf(error)}`)
          case "HttpBodyError":
            return die(options, "was to be sent a body that could not be encoded")
          default:
            return Effect.fail(error)
        }
      }),
      (value) => (isResponse(value) && !isOk(value) ? fromResponse(value, options) : Effect.succeed(value))
    )

/**
 * Checks the status of a response, decodes its JSON body and classifies every failure:
 * `desk.get(url).pipe(Upstream.json(Ticket, { name: "The desk" }))`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const json = <S extends Schema.ConstraintDecoder<unknown, unknown>>(schema: S, options: Options) => {
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(schema))
  const classified = classify(options)
  const answered = sorted(options)
  return <R>(
    self: Effect.Effect<Response, Failure, R>
  ): Effect.Effect<S["Type"], ConnectorError, R | S["DecodingServices"]> =>
    classified(
      Effect.flatMap(
        Effect.flatMap(answered(self), (response) => response.json),
        decode
      )
    )
}

/**
 * Makes a reader of the faults in a refusal's body, for the option of the same name. `read` chooses what the model gets to
 * see of the decoded body. A body that is slow, broken or of another shape counts as one without faults.
 *
 * @category constructors
 * @since 0.1.0
 */
export const issues = <S extends Schema.ConstraintDecoder<unknown>>(
  schema: S,
  read: (body: S["Type"]) => ReadonlyArray<Issue>
): ((response: Response) => Effect.Effect<ReadonlyArray<Issue>>) => {
  const decode = Schema.decodeUnknownEffect(Schema.toCodecJson(schema))
  return (response) =>
    response.json.pipe(
      Effect.flatMap(decode),
      Effect.timeout("2 seconds"),
      Effect.map(read),
      Effect.catch(() => Effect.succeed([]))
    )
}

/**
 * Fails with the class of a response whose status is not 2xx.
 *
 * - 401, 403, 407, 451: `AuthorizationError`.
 * - 423, 429: `TransientError`, not applied. 408, 425 and 5xx: `TransientError`, unknown, unless `notApplied` names them.
 * - 409: `ValidationError`, since what is there stands in the way and stays there. But where the response has
 *   `Retry-After`, or the request had an `Idempotency-Key`, it can mean that an earlier attempt still runs
 *   (draft-ietf-httpapi-idempotency-key-header): `TransientError`, unknown.
 * - Every other 4xx: `ValidationError`.
 * - 1xx, 3xx and what is no status at all: a `Fault`.
 *
 * `Retry-After` (RFC 9110, section 10.2.3) is read in both forms and counts for a day at most.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const fromResponse = (response: Response, options: Options): Effect.Effect<never, ConnectorError> =>
  Effect.suspend(() => {
    const { status } = response
    const own = options.on?.[status]
    if (own !== undefined) return Effect.fail(own(response))
    if (status < 400 || status > 599)
      return die(options, `answered with status ${status}, which this request can't use`)
    if (status === 401 || status === 407) return refusedCredential(options)
    if (status === 403 || status === 451) return Effect.fail(forbidden(options))
    if (status === 423) return later(response, options, "has locked what this call needs", "no")
    if (status === 429) return later(response, options, "limits how often it is called and has refused this call", "no")
    if (status >= 500) return later(response, options, `failed (status ${status})`)
    if (status === 408 || status === 425) return later(response, options, `asks for the same again (status ${status})`)
    if (status === 409 && mayStillRun(response)) return later(response, options, "is still busy with an earlier call")
    return Effect.flatMap(options.issues?.(response) ?? Effect.succeed([]), ([first, ...others]) =>
      Effect.fail(first === undefined ? rejected(options, status) : new ValidationError({ issues: [first, ...others] }))
    )
  })

/**
 * Fails with the class of an HTTP client's error.
 *
 * A name that isn't found, a refused connection, a connection that timed out and a certificate that isn't trusted mean
 * that nothing was sent: not applied. Whatever else cuts a request off, or makes its answer unreadable, is unknown.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const fromHttpClientError = (
  { reason }: HttpClientError,
  options: Options
): Effect.Effect<never, ConnectorError> => {
  switch (reason._tag) {
    case "StatusCodeError":
      return fromResponse(reason.response, options)
    case "TransportError":
      return cutOff(options, reason, isNeverSent(reason))
    case "DecodeError":
    case "EmptyBodyError":
      // The body of a refusal is often no JSON, and its status says more.
      if (!isOk(reason.response)) return fromResponse(reason.response, options)
      return cutOff(options, reason, false)
    case "InvalidUrlError":
    case "EncodeError":
      return die(options, `was to be sent a request that could not be made (${reason._tag})`)
  }
}

/**
 * Fails with a `TransientError`, unknown: what was sent may still be carried out.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const fromTimeout = (_: TimeoutError, { name }: Options): Effect.Effect<never, TransientError> =>
  Effect.fail(new TransientError({ message: `${name} did not answer in time`, applied: "unknown" }))

/**
 * Fails with the class of a `SqlError`.
 *
 * - A unique or another constraint: `ValidationError`. Use `on` to name the field.
 * - Deadlock, serialization failure, lock timeout, no connection: `TransientError`, not applied, since the database has
 *   rolled back or was never asked. A connection lost later, or a statement that timed out: unknown.
 * - Refused login, missing privilege: `AuthorizationError`.
 * - Wrong SQL, and what the driver doesn't know (a full disk, a corrupt file): a `Fault` with the driver's reason.
 *
 * @category classifiers
 * @since 0.1.0
 */
export const fromSqlError = ({ reason }: SqlError, options: Options): Effect.Effect<never, ConnectorError> =>
  Effect.suspend(() => {
    switch (reason._tag) {
      case "UniqueViolation":
        return Effect.fail(options.on?.UniqueViolation?.(reason) ?? rejected(options, 409))
      case "ConstraintError":
        return Effect.fail(options.on?.ConstraintError?.(reason) ?? rejected(options, 422))
      case "DeadlockError":
      case "SerializationError":
      case "LockTimeoutError":
        return Effect.fail(transient(options, "was busy with other changes to the same data and undid this one", "no"))
      case "StatementTimeoutError":
        return Effect.fail(transient(options, "did not answer in time", "unknown"))
      case "ConnectionError":
        return cutOff(options, reason, reason.operation === "connect" || refusalsOf(reason.cause).length > 0)
      case "AuthenticationError":
        return refusedCredential(options)
      case "AuthorizationError":
        return Effect.fail(forbidden(options))
      case "SqlSyntaxError":
        return die(options, "was given wrong SQL", reason)
      case "UnknownError":
        // A server that starts, stops or is full turns clients away with codes that the drivers don't sort.
        if (reason.operation === "connect") return cutOff(options, reason, true)
        return die(options, "failed in a way that its driver doesn't know", reason)
    }
  })

// The literal has the type of the module's own constant, which would load the whole HTTP client.
const responseTypeId: typeof HttpClientResponse.TypeId = "~effect/http/HttpClientResponse"

const isResponse = (value: unknown): value is Response => Predicate.hasProperty(value, responseTypeId)

const isOk = ({ status }: Response): boolean => status >= 200 && status < 300

const mayStillRun = ({ headers, request }: Response): boolean =>
  headers["retry-after"] !== undefined || request.headers["idempotency-key"] !== undefined

const transient = ({ name }: Options, did: string, applied: "no" | "unknown", retryAfter?: Duration.Duration) =>
  new TransientError({ message: `${name} ${did}`, applied, ...(retryAfter !== undefined && { retryAfter }) })

const later = (response: Response, options: Options, did: string, applied: "no" | "unknown" = "unknown") => {
  const known = options.notApplied?.includes(response.status) === true ? "no" : applied
  return Effect.flatMap(Clock.currentTimeMillis, (now) =>
    Effect.fail(transient(options, did, known, retryAfterOf(response.headers["retry-after"], now)))
  )
}

const longestRetryAfter = Duration.days(1)

const retryAfterOf = (value: string | undefined, now: number): Duration.Duration | undefined => {
  const parsed = value === undefined ? undefined : Headers.parseRetryAfter(value)
  if (parsed === undefined || Result.isFailure(parsed)) return undefined
  const delay = Headers.retryAfterDelay(parsed.success, now)
  return Duration.isZero(delay) ? undefined : Duration.min(delay, longestRetryAfter)
}

const refusedCredential = ({ name }: Options) =>
  Effect.andThen(
    warn(name, "An upstream refused the connector's credential"),
    Effect.fail(
      new AuthorizationError({
        message: `${name} refused the connector's own credential; its operators have to renew it`
      })
    )
  )

const forbidden = ({ name }: Options) =>
  new AuthorizationError({
    message: `${name} does not let this connector do that; its operators decide what it may do`
  })

const rejections: { readonly [status: number]: readonly [did: string, expected: string] } = {
  404: ["finds nothing under these arguments", "something that exists: look it up first"],
  405: ["does not support this operation on what the arguments name", "something that the operation applies to"],
  409: ["refused this: it conflicts with what is there", "arguments that fit the present state: read it first"],
  410: ["no longer has what these arguments name", "something that exists: look it up first"],
  412: ["refused this: what it changes has changed meanwhile", "arguments that fit the present state: read it first"],
  413: ["finds these arguments too large", "shorter or fewer values"],
  415: ["does not accept content of this form", "content in a form that the tool's description names"]
}

const rejected = ({ name }: Options, status: number): ValidationError => {
  const [did, expected] = rejections[status] ?? ["refused these arguments", "arguments as the tool's description asks"]
  return ValidationError.at("", `${name} ${did}`, expected)
}

const die = (options: Options, reason: string, cause?: unknown): Effect.Effect<never> =>
  Effect.die(new Fault({ upstream: options.name, reason, ...(cause !== undefined && { cause }) }))

/** Where an answer is wrong, and none of its values. */
const placesOf = (error: Schema.SchemaError): string =>
  SchemaIssue.makeFormatterStandardSchemaV1()(error.issue)
    .issues.slice(0, 5)
    .map(({ path = [] }) => (path.length === 0 ? "as a whole" : `at ${path.map(String).join(".")}`))
    .join(", ")

/** The model is told only whether something was sent; what exactly went wrong is for the operators. */
const cutOff = (options: Options, reason: { readonly _tag: string; readonly cause?: unknown }, neverSent: boolean) =>
  Effect.andThen(
    warn(options.name, neverSent ? "An upstream can't be reached" : "The answer of an upstream was lost", {
      reason: reason._tag,
      code: codeOf(reason.cause)
    }),
    Effect.fail(
      neverSent
        ? transient(options, "can't be reached, so it was not asked", "no")
        : transient(options, "was asked, but its answer was lost on the way", "unknown")
    )
  )

const warn = (upstream: string, message: string, details: Record<string, unknown> = {}) =>
  Effect.logWarning(message).pipe(
    Effect.annotateLogs({ upstream, ...details }),
    // On stdio, stdout carries the protocol.
    Effect.provideService(Logger.LogToStderr, true)
  )

/** Codes that say, whatever the system call was, that no byte of a request has left. */
const neverSentCodes: ReadonlySet<string> = new Set([
  "ENOTFOUND",
  "EAI_AGAIN",
  "UND_ERR_CONNECT_TIMEOUT",
  "ERR_SSL_WRONG_VERSION_NUMBER",
  "ERR_TLS_CERT_ALTNAME_INVALID",
  "CERT_HAS_EXPIRED",
  "CERT_NOT_YET_VALID",
  "CERT_REVOKED",
  "CERT_REJECTED",
  "CERT_UNTRUSTED",
  "CERT_SIGNATURE_FAILURE",
  "CERT_CHAIN_TOO_LONG",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "HOSTNAME_MISMATCH",
  "INVALID_CA",
  "INVALID_PURPOSE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

/** What Node and undici attach to a connection that failed. */
interface Refusal {
  readonly code?: unknown
  readonly syscall?: unknown
  readonly hostname?: unknown
  readonly port?: unknown
}

/** Why not one of the addresses that were tried could be sent a byte; empty when that is in doubt. */
const refusalsOf = (cause: unknown, depth = 0): ReadonlyArray<Refusal> => {
  if (!Predicate.isObjectKeyword(cause) || depth > 5) return []
  if ("errors" in cause && Array.isArray(cause.errors)) {
    const each = cause.errors.map((error) => refusalsOf(error, depth + 1))
    return each.some((refusals) => refusals.length === 0) ? [] : each.flat()
  }
  const refusal: Refusal = cause
  const { code, syscall } = refusal
  if (syscall === "connect" || syscall === "getaddrinfo" || (Predicate.isString(code) && neverSentCodes.has(code))) {
    return [refusal]
  }
  return "cause" in cause ? refusalsOf(cause.cause, depth + 1) : []
}

/** A refusal by another host or port than the request names comes from a redirect: the request itself was answered. */
const isNeverSent = ({ cause, request }: TransportError): boolean => {
  const refusals = refusalsOf(cause)
  if (refusals.length === 0 || !URL.canParse(request.url)) return false
  const { hostname, port, protocol } = new URL(request.url)
  const asked = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)
  return refusals.every(
    (refusal) =>
      (refusal.hostname === undefined || refusal.hostname === hostname) &&
      (refusal.port === undefined || refusal.port === asked)
  )
}

/** The first code in a chain of causes. Codes are names of faults and hold no value. */
const codeOf = (cause: unknown, depth = 0): string | undefined => {
  if (!Predicate.isObjectKeyword(cause) || depth > 5) return undefined
  if ("code" in cause && Predicate.isString(cause.code) && /^[A-Z][A-Z0-9_]{1,63}$/.test(cause.code)) return cause.code
  return "cause" in cause ? codeOf(cause.cause, depth + 1) : undefined
}
