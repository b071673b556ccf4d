import { assert, describe, it } from "@effect/vitest"
import { Cause, DateTime, Deferred, Duration, Effect, Exit, Fiber, Logger, Schema } from "effect"
import { FetchHttpClient, HttpClient, HttpClientError, HttpClientRequest, HttpClientResponse } from "effect/http"
import { SqlError } from "effect/sql"
import { TestClock } from "effect/testing"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"
import { AuthorizationError, ConnectorError, TransientError, ValidationError } from "../src/ConnectorError.ts"
import * as Upstream from "../src/Upstream.ts"

const canary = "sk-canary-7f3a"
const ledger: Upstream.Options = { name: "The ledger" }

/** A server on a free port of this machine, for as long as the test runs. Gives its address. */
const serve = (handler: Http.RequestListener) =>
  Effect.acquireRelease(
    Effect.callback<Http.Server>((resume) => {
      const server = Http.createServer(handler)
      server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.callback<void>((resume) => {
        server.closeAllConnections()
        server.close(() => resume(Effect.void))
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`))

/** The address of a server that has gone, so that nothing listens there. */
const closed = Effect.scoped(serve(() => undefined))

const answer =
  (status: number, headers: Http.OutgoingHttpHeaders = {}, body = ""): Http.RequestListener =>
  (_, response) => {
    response.writeHead(status, headers).end(body)
  }

const millisOf = (time: string) => DateTime.toEpochMillis(DateTime.makeUnsafe(time))

const quiet = Effect.provide(Logger.layer([]))

const get = (url: string) => HttpClient.get(url).pipe(Effect.provide(FetchHttpClient.layer))

const post = (url: string, headers: Record<string, string> = {}) =>
  HttpClientRequest.post(url, { headers }).pipe(
    HttpClientRequest.bodyJsonUnsafe({ amount: 5 }),
    HttpClient.execute,
    Effect.provide(FetchHttpClient.layer)
  )

const classified = (effect: Effect.Effect<unknown, Upstream.Failure>, options = ledger) =>
  Effect.flip(Upstream.classify(options)(effect)).pipe(quiet)

const classifiedStatus = (status: number, headers: Http.OutgoingHttpHeaders = {}, options = ledger) =>
  Effect.scoped(Effect.flatMap(serve(answer(status, headers)), (url) => classified(post(url), options)))

const defectOf = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.map(Effect.exit(effect), (exit) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : exit))

/** Compares every field, where `assert` compares only the name and the message of an `Error`. */
const same = (actual: ConnectorError, expected: ConnectorError, about?: string) =>
  assert.deepStrictEqual(encode(actual), encode(expected), about)

const encode = Schema.encodeSync(Schema.toCodecJson(ConnectorError))

const invalid = (message: string, expected: string) => ValidationError.at("", message, expected)
const notApplied = (message: string) => new TransientError({ message, applied: "no" })
const unknown = (message: string) => new TransientError({ message, applied: "unknown" })

const neverSent = notApplied("The ledger can't be reached, so it was not asked")
const lost = unknown("The ledger was asked, but its answer was lost on the way")

describe("Upstream", () => {
  describe("statuses", () => {
    const refused = "The ledger refused the connector's own credential; its operators have to renew it"
    const denied = "The ledger does not let this connector do that; its operators decide what it may do"
    const present = "arguments that fit the present state: read it first"
    const described = "arguments as the tool's description asks"
    const expectations: ReadonlyArray<readonly [status: number, ConnectorError]> = [
      [400, invalid("The ledger refused these arguments", described)],
      [401, new AuthorizationError({ message: refused })],
      [402, invalid("The ledger refused these arguments", described)],
      [403, new AuthorizationError({ message: denied })],
      [404, invalid("The ledger finds nothing under these arguments", "something that exists: look it up first")],
      [
        405,
        invalid(
          "The ledger does not support this operation on what the arguments name",
          "something that the operation applies to"
        )
      ],
      [408, unknown("The ledger asks for the same again (status 408)")],
      [409, invalid("The ledger refused this: it conflicts with what is there", present)],
      [410, invalid("The ledger no longer has what these arguments name", "something that exists: look it up first")],
      [412, invalid("The ledger refused this: what it changes has changed meanwhile", present)],
      [413, invalid("The ledger finds these arguments too large", "shorter or fewer values")],
      [
        415,
        invalid(
          "The ledger does not accept content of this form",
          "content in a form that the tool's description names"
        )
      ],
      [418, invalid("The ledger refused these arguments", described)],
      [422, invalid("The ledger refused these arguments", described)],
      [423, notApplied("The ledger has locked what this call needs")],
      [425, unknown("The ledger asks for the same again (status 425)")],
      [429, notApplied("The ledger limits how often it is called and has refused this call")],
      [451, new AuthorizationError({ message: denied })],
      [500, unknown("The ledger failed (status 500)")],
      [502, unknown("The ledger failed (status 502)")],
      [503, unknown("The ledger failed (status 503)")],
      [504, unknown("The ledger failed (status 504)")],
      [599, unknown("The ledger failed (status 599)")]
    ]
    for (const [status, expected] of expectations) {
      it.effect(
        `${status} is ${expected._tag}${expected._tag === "TransientError" ? `, ${expected.applied}` : ""}`,
        () =>
          Effect.gen(function* () {
            same(yield* classifiedStatus(status), expected)
          })
      )
    }

    it.effect("407, which fetch keeps to itself, is AuthorizationError", () =>
      Effect.gen(function* () {
        const response = HttpClientResponse.fromWeb(HttpClientRequest.get("/"), new Response(null, { status: 407 }))
        const error = yield* Effect.flip(Upstream.fromResponse(response, ledger)).pipe(quiet)
        same(error, new AuthorizationError({ message: refused }))
      })
    )

    it.effect("2xx passes with the response", () =>
      Effect.gen(function* () {
        for (const status of [200, 201, 202, 204]) {
          const url = yield* serve(answer(status))
          const response = yield* Upstream.classify(ledger)(get(url))
          assert.strictEqual(response.status, status)
        }
      })
    )

    it.effect("a redirect that is not followed, and one without a place, is a fault for the operators", () =>
      Effect.gen(function* () {
        for (const status of [300, 302, 304]) {
          const url = yield* serve(answer(status, status === 302 ? { location: `/${canary}` } : {}))
          const defect = yield* defectOf(Upstream.classify(ledger)(get(url))).pipe(
            Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" })
          )
          assert.instanceOf(defect, Upstream.Fault)
          assert.strictEqual(defect.message, `The ledger answered with status ${status}, which this request can't use`)
        }
      })
    )

    it.effect("a client that filters statuses itself gets the same class", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(404))
        const filtered = Effect.flatMap(get(url), HttpClientResponse.filterStatusOk)
        same(yield* classified(filtered), yield* classified(get(url)))
      })
    )

    it.effect("409 for a request with an idempotency key may mean that the first attempt still runs", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(409))
        const error = yield* classified(post(url, { "Idempotency-Key": "k-1" }))
        same(error, unknown("The ledger is still busy with an earlier call"))
      })
    )

    it.effect("409 with Retry-After is transient", () =>
      Effect.gen(function* () {
        const error = yield* classifiedStatus(409, { "retry-after": "2" })
        same(
          error,
          new TransientError({
            message: "The ledger is still busy with an earlier call",
            retryAfter: Duration.seconds(2),
            applied: "unknown"
          })
        )
      })
    )

    it.effect("an upstream that promises to do nothing with a status is believed", () =>
      Effect.gen(function* () {
        const error = yield* classifiedStatus(503, {}, { ...ledger, notApplied: [503] })
        same(error, notApplied("The ledger failed (status 503)"))
      })
    )

    it.effect("an author's own error for a status comes first", () =>
      Effect.gen(function* () {
        const own = ValidationError.at("account", "names no account", "an id from search_accounts")
        const options: Upstream.Options = { ...ledger, on: { 404: () => own } }
        assert.strictEqual(yield* classifiedStatus(404, {}, options), own)
        same(yield* classifiedStatus(410, {}, options), yield* classifiedStatus(410))
      })
    )
  })

  describe("Retry-After", () => {
    const waits = (value: string | ReadonlyArray<string>, status = 429) =>
      Effect.map(classifiedStatus(status, { "retry-after": value as string }), (error) =>
        error._tag === "TransientError" && error.retryAfter !== undefined
          ? Duration.toMillis(error.retryAfter)
          : undefined
      )

    it.effect("is read as seconds", () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* waits("120"), 120_000)
        assert.strictEqual(yield* waits("7", 503), 7000)
        assert.strictEqual(yield* waits("1", 408), 1000)
      })
    )

    it.effect("is read as a date, by the clock", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(millisOf("2026-11-22T16:00:00Z"))
        assert.strictEqual(yield* waits("Sun, 22 Nov 2026 16:00:30 GMT"), 30_000)
        assert.strictEqual(yield* waits("Sunday, 22-Nov-26 16:00:31 GMT"), 31_000)
        assert.strictEqual(yield* waits("Sun Nov 22 16:00:32 2026"), 32_000)
        yield* TestClock.adjust("10 seconds")
        assert.strictEqual(yield* waits("Sun, 22 Nov 2026 16:00:30 GMT"), 20_000)
      })
    )

    it.effect("counts for a day at most", () =>
      Effect.gen(function* () {
        for (const absurd of ["86401", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"]) {
          assert.strictEqual(yield* waits(absurd), 86_400_000)
        }
      })
    )

    it.effect("is ignored when it is past, negative or malformed", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(millisOf("2026-11-22T00:00:00Z"))
        const useless = ["0", "-5", "1.5", "1e3", "soon", "", "5, 9", "2026-11-23", "Sat, 31 Feb 2026 00:00:00 GMT"]
        for (const value of [...useless, "Sat, 21 Nov 2026 00:00:00 GMT"]) {
          assert.isUndefined(yield* waits(value), value)
        }
      })
    )
  })

  describe("the way there and back", () => {
    it.effect("a refused connection means that nothing was sent", () =>
      Effect.gen(function* () {
        same(yield* classified(post(yield* closed)), neverSent)
      })
    )

    it.effect("a server that speaks no TLS means that nothing was sent", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(200))
        same(yield* classified(post(url.replace("http:", "https:"))), neverSent)
      })
    )

    it.effect("a connection dropped before, while or after the request is read leaves it unknown", () =>
      Effect.gen(function* () {
        const drops: ReadonlyArray<Http.RequestListener> = [
          (request) => request.socket.destroy(),
          (request) => request.socket.resetAndDestroy(),
          (request) => request.once("data", () => request.socket.destroy()),
          (request) => request.resume().once("end", () => request.socket.destroy()),
          (request) => request.resume().once("end", () => request.socket.end("not http at all\r\n\r\n"))
        ]
        for (const drop of drops) {
          same(yield* classified(post(yield* serve(drop))), lost)
        }
      })
    )

    it.effect("an answer that breaks off in the middle leaves it unknown", () =>
      Effect.gen(function* () {
        const url = yield* serve((request, response) => {
          response.writeHead(200, { "content-type": "application/json", "content-length": 100 })
          response.write('{"id":', () => request.socket.destroy())
        })
        same(yield* classified(Effect.flatMap(post(url), (response) => response.json)), lost)
      })
    )

    it.effect("an answer that is no JSON leaves it unknown", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(200, {}, `<p>${canary}</p>`))
        same(yield* classified(Effect.flatMap(post(url), (response) => response.json)), lost)
      })
    )

    it.effect("a refusal whose body is no JSON is still that refusal", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(404, {}, "<p>not here</p>"))
        const read = Effect.flatMap(post(url), (response) => response.json)
        same(yield* classified(read), yield* classified(get(url)))
      })
    )

    it.effect("a server that hangs is transient once the author's timeout is over, and unknown", () =>
      Effect.gen(function* () {
        const arrived = yield* Deferred.make<void>()
        const url = yield* serve(() => Deferred.doneUnsafe(arrived, Exit.void))
        const fiber = yield* Effect.forkChild(classified(Effect.timeout(post(url), "2 seconds")))
        yield* Deferred.await(arrived)
        yield* TestClock.adjust("2 seconds")
        same(yield* Fiber.join(fiber), unknown("The ledger did not answer in time"))
      })
    )

    it.effect("a redirect that leads to a closed door does not count as never sent", () =>
      Effect.gen(function* () {
        const nowhere = yield* closed
        const url = yield* serve(answer(303, { location: `${nowhere}/receipt` }))
        same(yield* classified(post(url)), lost)
      })
    )
  })

  describe("what clients report", () => {
    /** The error of a client whose connection failed like this, with a request to https://ledger.example. */
    const failedWith = (cause: unknown) =>
      new HttpClientError.HttpClientError({
        reason: new HttpClientError.TransportError({
          request: HttpClientRequest.post("https://ledger.example/entries"),
          cause
        })
      })
    const fault = (fields: object) => Object.assign(new Error("failed"), fields)
    const byFetch = (cause: Error) => new TypeError("fetch failed", { cause })
    const name = { syscall: "getaddrinfo", hostname: "ledger.example" }
    const place = { syscall: "connect", address: "10.0.0.1", port: 443 }

    it.effect("nothing was sent when no address, no connection or no trusted certificate was found", () =>
      Effect.gen(function* () {
        const causes = [
          fault({ ...name, code: "ENOTFOUND" }),
          fault({ ...name, code: "EAI_AGAIN" }),
          fault({ ...place, code: "ECONNREFUSED" }),
          fault({ ...place, code: "ETIMEDOUT" }),
          fault({ ...place, code: "EHOSTUNREACH" }),
          fault({ syscall: "connect", code: "ENOENT", address: "/run/ledger.sock" }),
          fault({ code: "UND_ERR_CONNECT_TIMEOUT" }),
          fault({ code: "CERT_HAS_EXPIRED" }),
          fault({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" }),
          fault({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }),
          fault({ code: "ERR_TLS_CERT_ALTNAME_INVALID", host: "ledger.example" }),
          Object.assign(
            new AggregateError([fault({ ...place, code: "ECONNREFUSED" }), fault({ ...place, code: "ENETUNREACH" })]),
            { code: "ECONNREFUSED" }
          )
        ]
        for (const cause of causes) {
          same(yield* classified(failedWith(cause)), neverSent, inspect(cause))
          same(yield* classified(failedWith(byFetch(cause))), neverSent, inspect(cause))
        }
      })
    )

    it.effect("whatever else happens to a connection may have happened after the request was sent", () =>
      Effect.gen(function* () {
        const causes = [
          undefined,
          "ECONNREFUSED",
          fault({}),
          fault({ code: "ECONNRESET", syscall: "read" }),
          fault({ code: "ECONNRESET" }),
          fault({ code: "EPIPE", syscall: "write" }),
          fault({ code: "ETIMEDOUT", syscall: "read" }),
          fault({ code: "ECONNREFUSED" }),
          fault({ code: "UND_ERR_SOCKET" }),
          fault({ code: "UND_ERR_HEADERS_TIMEOUT" }),
          fault({ code: "UND_ERR_BODY_TIMEOUT" }),
          fault({ code: "UND_ERR_HEADERS_OVERFLOW" }),
          fault({ code: "HPE_INVALID_CONSTANT" }),
          fault({ code: "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED" }),
          fault({ code: "EPROTO", syscall: "write" }),
          fault({ name: "AbortError", code: 20 }),
          fault({ ...name, code: "ENOTFOUND", hostname: "receipts.example" }),
          fault({ ...place, code: "ECONNREFUSED", port: 8443 }),
          new AggregateError([]),
          new AggregateError([
            fault({ ...place, code: "ECONNREFUSED" }),
            fault({ code: "ECONNRESET", syscall: "read" })
          ])
        ]
        for (const cause of causes) {
          same(yield* classified(failedWith(cause)), lost, inspect(cause))
        }
      })
    )

    it.effect("operators read in the log what went wrong, and the model does not", () =>
      Effect.gen(function* () {
        const logged: Array<unknown> = []
        const logger = Logger.map(Logger.formatStructured, (entry) => {
          logged.push({ level: entry.level, message: entry.message, annotations: entry.annotations })
        })
        const failed = failedWith(Object.assign(byFetch(fault({ code: "CERT_HAS_EXPIRED" })), { code: canary }))
        const error = yield* Effect.flip(Upstream.classify(ledger)(failed)).pipe(Effect.provide(Logger.layer([logger])))
        assert.notInclude(error.message, "CERT")
        assert.deepStrictEqual(logged, [
          {
            level: "WARN",
            message: "An upstream can't be reached",
            annotations: { upstream: "The ledger", reason: "TransportError", code: "CERT_HAS_EXPIRED" }
          }
        ])
      })
    )

    it.effect("a request that can't be made is a fault of the connector", () =>
      Effect.gen(function* () {
        const url = yield* defectOf(Upstream.classify(ledger)(get(`http://${canary}:999999/`)))
        assert.instanceOf(url, Upstream.Fault)
        assert.strictEqual(url.message, "The ledger was to be sent a request that could not be made (InvalidUrlError)")
        const body = yield* defectOf(
          Upstream.classify(ledger)(HttpClientRequest.bodyJson(HttpClientRequest.post("/"), { amount: 1n }))
        )
        assert.instanceOf(body, Upstream.Fault)
        assert.strictEqual(body.message, "The ledger was to be sent a body that could not be encoded")
      })
    )
  })

  describe("json", () => {
    const Entry = Schema.Struct({ id: Schema.String, at: Schema.DateTimeUtc })

    it.effect("gives the decoded body of a success", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(200, {}, '{"id":"E-1","at":"2026-11-22T16:00:00.000Z"}'))
        const entry = yield* get(url).pipe(Upstream.json(Entry, ledger))
        assert.strictEqual(entry.id, "E-1")
        assert.strictEqual(DateTime.toEpochMillis(entry.at), millisOf("2026-11-22T16:00:00Z"))
      })
    )

    it.effect("never takes the body of a refusal for an answer", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(404, {}, '{"id":"E-1","at":"2026-11-22T16:00:00.000Z"}'))
        const error = yield* Effect.flip(get(url).pipe(Upstream.json(Entry, ledger)))
        assert.strictEqual(error.message, "The ledger finds nothing under these arguments")
      })
    )

    it.effect("an answer of another shape is a fault that names the places and none of the values", () =>
      Effect.gen(function* () {
        const url = yield* serve(answer(200, {}, `{"id":7,"at":"${canary}"}`))
        const defect = yield* defectOf(get(url).pipe(Upstream.json(Entry, ledger)))
        assert.instanceOf(defect, Upstream.Fault)
        assert.strictEqual(defect.message, "The ledger sent an answer other than agreed, at id")
        assert.notInclude(inspect(defect, { depth: 9 }), canary)
      })
    )

    it.effect("leaves an error that is already classified as it is", () =>
      Effect.gen(function* () {
        const own = ValidationError.at("account", "names no account")
        assert.strictEqual(yield* classified(Effect.fail(own)), own)
      })
    )
  })

  describe("issues", () => {
    const Problem = Schema.Struct({
      errors: Schema.Array(Schema.Struct({ field: Schema.String, rule: Schema.String }))
    })
    const options: Upstream.Options = {
      ...ledger,
      issues: Upstream.issues(Problem, ({ errors }) =>
        errors.map(({ field, rule }) => ({ path: field, message: `breaks the rule ${rule}`, expected: "" }))
      )
    }
    const refusedWith = (body: string, status = 422) =>
      Effect.flatMap(serve(answer(status, {}, body)), (url) => classified(post(url), options))

    it.effect("name the fields that the upstream names", () =>
      Effect.gen(function* () {
        const error = yield* refusedWith(
          '{"errors":[{"field":"amount","rule":"max-100"},{"field":"day","rule":"open"}]}'
        )
        same(
          error,
          new ValidationError({
            issues: [
              { path: "amount", message: "breaks the rule max-100", expected: "" },
              { path: "day", message: "breaks the rule open", expected: "" }
            ]
          })
        )
      })
    )

    it.effect("are left out when the body names none, is broken or of another shape", () =>
      Effect.gen(function* () {
        const general = yield* classifiedStatus(422)
        for (const body of ['{"errors":[]}', "", "<p>", '{"errors":"many"}']) {
          same(yield* refusedWith(body), general, body)
        }
      })
    )

    it.effect("are not waited for longer than two seconds", () =>
      Effect.gen(function* () {
        const begun = yield* Deferred.make<void>()
        const url = yield* serve((_, response) => {
          response.writeHead(422).write("{", () => Deferred.doneUnsafe(begun, Exit.void))
        })
        const response = yield* post(url)
        yield* Deferred.await(begun)
        const fiber = yield* Effect.forkChild(Effect.flip(Upstream.fromResponse(response, options)))
        yield* TestClock.adjust("2 seconds")
        same(yield* Fiber.join(fiber), yield* classifiedStatus(422))
      })
    )

    it.effect("are read for a refusal of arguments only", () =>
      Effect.gen(function* () {
        const error = yield* refusedWith('{"errors":[{"field":"amount","rule":"max-100"}]}', 503)
        same(error, unknown("The ledger failed (status 503)"))
      })
    )
  })

  describe("SQL", () => {
    const database: Upstream.Options = { name: "The desk's database" }
    const driver = { cause: new Error(`duplicate key (${canary})`), message: canary }
    const failed = (reason: SqlError.SqlErrorReason) => new SqlError.SqlError({ reason })
    const sql = (reason: SqlError.SqlErrorReason, options = database) => classified(failed(reason), options)

    it.effect("a broken constraint is a fault in the arguments", () =>
      Effect.gen(function* () {
        same(
          yield* sql(new SqlError.UniqueViolation({ ...driver, constraint: "tickets_subject_key" })),
          invalid(
            "The desk's database refused this: it conflicts with what is there",
            "arguments that fit the present state: read it first"
          )
        )
        same(
          yield* sql(new SqlError.ConstraintError(driver)),
          invalid("The desk's database refused these arguments", "arguments as the tool's description asks")
        )
      })
    )

    it.effect("an author names the field that a constraint guards", () =>
      Effect.gen(function* () {
        const own = ValidationError.at("subject", "is taken in this queue", "another subject")
        const options: Upstream.Options = {
          ...database,
          on: { UniqueViolation: ({ constraint }) => (constraint === "tickets_subject_key" ? own : assert.fail()) }
        }
        const reason = new SqlError.UniqueViolation({ ...driver, constraint: "tickets_subject_key" })
        assert.strictEqual(yield* sql(reason, options), own)
      })
    )

    it.effect("what the database rolled back was not applied", () =>
      Effect.gen(function* () {
        const expected = notApplied(
          "The desk's database was busy with other changes to the same data and undid this one"
        )
        same(yield* sql(new SqlError.DeadlockError(driver)), expected)
        same(yield* sql(new SqlError.SerializationError(driver)), expected)
        same(yield* sql(new SqlError.LockTimeoutError(driver)), expected)
      })
    )

    it.effect("a connection that was never made is told from one that was lost", () =>
      Effect.gen(function* () {
        const unreached = notApplied("The desk's database can't be reached, so it was not asked")
        const cut = unknown("The desk's database was asked, but its answer was lost on the way")
        const refused = Object.assign(new Error("connect"), { code: "ECONNREFUSED", syscall: "connect", port: 5432 })
        same(yield* sql(new SqlError.ConnectionError({ ...driver, operation: "connect" })), unreached)
        same(yield* sql(new SqlError.ConnectionError({ cause: refused })), unreached)
        same(yield* sql(new SqlError.UnknownError({ ...driver, operation: "connect" })), unreached)
        same(yield* sql(new SqlError.ConnectionError({ ...driver, operation: "query" })), cut)
        same(yield* sql(new SqlError.ConnectionError(driver)), cut)
      })
    )

    it.effect("a statement that timed out may have been carried out", () =>
      Effect.gen(function* () {
        same(
          yield* sql(new SqlError.StatementTimeoutError(driver)),
          unknown("The desk's database did not answer in time")
        )
      })
    )

    it.effect("a refused login or privilege is the operators' to change", () =>
      Effect.gen(function* () {
        assert.strictEqual((yield* sql(new SqlError.AuthenticationError(driver)))._tag, "AuthorizationError")
        assert.strictEqual((yield* sql(new SqlError.AuthorizationError(driver)))._tag, "AuthorizationError")
      })
    )

    it.effect("wrong SQL and unknown failures are faults that keep the driver's reason for the operators", () =>
      Effect.gen(function* () {
        for (const reason of [new SqlError.SqlSyntaxError(driver), new SqlError.UnknownError(driver)]) {
          const defect = yield* defectOf(Upstream.classify(database)(failed(reason)))
          assert.instanceOf(defect, Upstream.Fault)
          assert.strictEqual(defect.cause, reason)
          assert.notInclude(defect.message, canary)
        }
      })
    )
  })

  it.effect("no error holds anything of the upstream's body, address or headers", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.map(Logger.formatJson, (line) => {
        logged.push(line)
      })
      const headers = { "x-request-id": canary, location: `/${canary}`, "www-authenticate": `Bearer ${canary}` }
      const attempts = [
        { status: 0, url: yield* closed },
        { status: 0, url: yield* serve((request) => request.socket.destroy()) },
        ...(yield* Effect.forEach([200, 300, 400, 401, 403, 404, 409, 418, 422, 423, 429, 500, 503], (status) =>
          Effect.map(serve(answer(status, headers, `{"canary":"${canary}"`)), (url) => ({ status, url }))
        ))
      ]
      for (const { status, url } of attempts) {
        const asked = post(`${url}/${canary}?key=${canary}`, { "x-api-key": canary, "retry-after": canary })
        const error = yield* asked
          .pipe(Upstream.json(Schema.Struct({ id: Schema.String }), ledger), defectOf)
          .pipe(Effect.provide(Logger.layer([logger])))
        assert.instanceOf(error, Error)
        for (const shown of [error.message, String(error), JSON.stringify(error), inspect(error, { depth: 9 })]) {
          assert.notInclude(shown, canary, `status ${status}`)
          assert.notInclude(shown, "127.0.0.1", `status ${status}`)
        }
      }
      assert.isAbove(logged.length, 2)
      assert.notInclude(logged.join(), canary)
      assert.notInclude(logged.join(), "127.0.0.1")
    })
  )
})
