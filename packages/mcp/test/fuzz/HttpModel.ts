/**
 * What an HTTP request must be answered with, by the order of refusals that the endpoint documents, RFC 9110, RFC 9112 and
 * the limits that Node documents for its server. It shares no code with the server.
 */
import { METHODS } from "node:http"
import { tokens } from "./desk.ts"
import type { HttpCase } from "./HttpCases.ts"
import { bytesOf, type Framing, type HttpRequest } from "./HttpRequest.ts"
import { limit } from "./MessageCases.ts"
import * as Model from "./MessageModel.ts"

export interface Expected {
  readonly statuses: ReadonlyArray<number>
  /** Whether the connection may end without an answer. */
  readonly mayClose: boolean
  /** Whether what comes after on the same connection may stay unanswered. */
  readonly mayEnd: boolean
  /** Whether bytes are left over, which are no request and may be answered as that. */
  readonly leavesBytes: boolean
  /** Whether it ends the parser of the connection, which may cost the requests before it their answers. */
  readonly breaks: boolean
  /** Whether the body stays incomplete until the client says that no more will come. */
  readonly isIncomplete: boolean
  readonly asked: Model.Asked | undefined
  readonly runs: Model.Runs
  readonly note: string | undefined
}

const refused = (...statuses: ReadonlyArray<number>): Expected => ({
  statuses,
  mayClose: false,
  mayEnd: false,
  leavesBytes: false,
  breaks: false,
  isIncomplete: false,
  asked: undefined,
  runs: "never",
  note: undefined
})

const closing = (expected: Expected): Expected => ({ ...expected, mayClose: true, mayEnd: true })

const broken = (...statuses: ReadonlyArray<number>): Expected => ({
  ...closing(refused(400, 413, 417, 431, ...statuses)),
  breaks: true,
  leavesBytes: true
})

/** Each refusal that is decided before the body is read, and what a parser says that can't go on. */
const anyRefusal = [400, 401, 403, 404, 405, 408, 413, 415, 417, 431, 501, 503, 505]

/** What may be said where a request is at the edge of what HTTP or Node defines. */
const anything = (request: HttpRequest): Expected => {
  const normal = afterHead(request)
  return closing({
    ...normal,
    breaks: true,
    leavesBytes: true,
    statuses: [...anyRefusal, ...normal.statuses],
    runs: normal.runs === "never" ? "never" : "may"
  })
}

const headerSize = 16 * 1024

/** A server that takes the head waits for more of the body. */
const leavesBodyOpen: ReadonlyArray<Framing["kind"]> = ["bad head", "bad chunks", "length is more"]

/** Gives what each request of a connection must be answered with. A client that leaves early may get no answer at all. */
export const expectedOf = ({ requests, delivery }: HttpCase): ReadonlyArray<Expected> => {
  const expected = requests.map((request) => ({
    ...whole(request),
    isIncomplete: leavesBodyOpen.includes(request.framing.kind),
    ...(closes(request) && { mayEnd: true })
  }))
  const isWhole = delivery.kind !== "cut" && !expected.some(({ isIncomplete }) => isIncomplete)
  const isInOrder = !expected.some(({ breaks }) => breaks) && !requests.slice(0, -1).some(saysClose)
  if (isWhole && (isInOrder || expected.length === 1)) return expected
  return expected.map((each) => ({
    ...closing(each),
    statuses: [...each.statuses, 400, 408, 413, 431],
    leavesBytes: true,
    runs: weaker(each.runs)
  }))
}

const whole = (request: HttpRequest): Expected => {
  const { framing, method, target, version } = request
  if (method === "CONNECT") return broken(400)
  if (!METHODS.includes(method) || !/^HTTP\/\d\.\d$/.test(version) || !/^[/*]|^https?:\/\/[^[]/.test(target)) {
    return broken(400, 403, 404, 405, 505)
  }
  if (request.headers.some(([name, value]) => name.length + value.length > headerSize)) return broken(431)
  // Node counts the rest in a way of its own.
  if (bytesOf({ ...request, framing: { kind: "none" } }).length > headerSize / 2) return anything(request)
  if (leavesBodyOpen.includes(framing.kind)) return broken(...anyRefusal)
  if (version !== "HTTP/1.1" || /[^\x21-\x7e]|^\*/.test(target)) return anything(request)
  if (framing.kind === "length is less") {
    const { bytes } = request.message
    const cut = { ...request, message: { ...request.message, bytes: bytes.subarray(0, Math.max(0, bytes.length - 5)) } }
    return { ...afterHead(cut), mayEnd: true, leavesBytes: bytes.length > 0, breaks: true }
  }
  if (framing.kind === "none") return afterHead({ ...request, message: { ...request.message, bytes: Buffer.alloc(0) } })
  // Node takes 16 KiB of chunk extensions.
  if (framing.kind === "chunks" && (framing.extension.length * request.message.bytes.length) / framing.size > 10_000) {
    return anything(request)
  }
  return afterHead(request)
}

/** Gives the values of a header, without the blanks around them. */
const valuesOf = ({ headers }: HttpRequest, name: string): ReadonlyArray<string> =>
  headers.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value.replace(/^[ \t]+|[ \t]+$/g, ""))

const afterHead = (request: HttpRequest): Expected => {
  const hosts = valuesOf(request, "host")
  if (hosts.length === 0) return broken(400)
  const [expect] = valuesOf(request, "expect")
  if (expect !== undefined && request.version === "HTTP/1.1" && !/(?:^|\W)100-continue(?:$|\W)/i.test(expect))
    return refused(417)
  // A message to another path may be refused for its host or its caller as well.
  const known = pathIs(request.target)
  if (known === "no") return refused(404)
  const expected = atEndpoint(request, hosts)
  return known === "yes"
    ? expected
    : { ...expected, statuses: [404, ...expected.statuses], runs: weaker(expected.runs) }
}

/** Node takes what comes after such a request for an error of the connection. */
const saysClose = (request: HttpRequest): boolean =>
  valuesOf(request, "connection").some((value) => /close/i.test(value))

/**
 * What is refused without the 100 that its client waits for may be followed by the body or not, so the connection ends; so it
 * may where a refusal leaves much of a body unread.
 */
const closes = (request: HttpRequest): boolean =>
  request.message.bytes.length > 10_000 || valuesOf(request, "expect").length > 0 || saysClose(request)

const weaker = (runs: Model.Runs): Model.Runs => (runs === "must" ? "may" : runs)

const authorityOf = (target: string): URL | undefined =>
  /^https?:/.test(target) && URL.canParse(target) ? new URL(target) : undefined

/** Other ways to write the same path may be taken for it or not. */
const pathIs = (target: string): "yes" | "may" | "no" => {
  const path = authorityOf(target)?.pathname ?? target.split(/[?#;]/, 1)[0] ?? ""
  if (path === "/mcp") return /[#;]/.test(target) ? "may" : "yes"
  return ["/mcp/", "/MCP", "//mcp", "/./mcp", "/x/../mcp", "/%6dcp"].includes(path) || path.includes("%") ? "may" : "no"
}

const atEndpoint = (request: HttpRequest, [host = "", ...more]: ReadonlyArray<string>): Expected => {
  // RFC 9112, section 3.2.
  if (more.length > 0) return refused(400)
  // RFC 9112, section 3.2.2: the target's authority takes the place of the Host header.
  const names = authorityOf(request.target)?.host ?? host
  const guard = mostSevere(
    isLocalHost(names),
    ...valuesOf(request, "origin").map(isLocalOrigin),
    oneAtMost(request, "origin")
  )
  if (guard === "no") return refused(403)
  const allowed = afterGuard(request)
  return guard === "yes" ? allowed : { ...allowed, statuses: [403, ...allowed.statuses], runs: weaker(allowed.runs) }
}

type Verdict = "yes" | "may" | "no"

const mostSevere = (...verdicts: ReadonlyArray<Verdict>): Verdict =>
  verdicts.includes("no") ? "no" : verdicts.includes("may") ? "may" : "yes"

const oneAtMost = (request: HttpRequest, name: string): Verdict => (valuesOf(request, name).length > 1 ? "no" : "yes")

const isLocalHost = (host: string): Verdict => {
  if (/^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/.test(host)) return "yes"
  // Other ways to write a loopback name.
  return /^(?:localhost|127\.1|0x7f000001)(?:[/:].*)?$/i.test(host) ? "may" : "no"
}

const isLocalOrigin = (origin: string): Verdict => {
  if (/^https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/.test(origin)) return "yes"
  return origin === "" ? "may" : "no"
}

const afterGuard = (request: HttpRequest): Expected => {
  const caller = callerOf(request)
  if (typeof caller === "number") return refused(caller)
  if (request.method !== "POST") return refused(405)
  const types = valuesOf(request, "content-type")
  const isJson = types.map((type) => /^application\/json[ \t]*(?:;|$)/i.test(type))
  if (!isJson.includes(true)) return refused(415)
  const expected = ofBody(request, caller)
  return isJson.length === 1
    ? expected
    : { ...expected, statuses: [415, ...expected.statuses], runs: weaker(expected.runs) }
}

const callerOf = (request: HttpRequest): Model.PrincipalName | 401 | 503 => {
  const parameters = new URLSearchParams(request.target.split("?")[1])
  const given = valuesOf(request, "authorization")
  if (parameters.has("token") || parameters.has("access_token") || given.length > 1) return 401
  const token = /^bearer +([^\s,"]+)$/i.exec(given[0] ?? "")?.[1]
  switch (token) {
    case tokens.ada:
      return "ada"
    case tokens.vic:
      return "vic"
    case tokens.eve:
      return "eve"
    case tokens.outage:
      return 503
    default:
      return 401
  }
}

const ofBody = (request: HttpRequest, caller: Model.PrincipalName): Expected => {
  const { bytes } = request.message
  // A client that still sends may lose the answer with the connection.
  if (bytes.length > limit) return closing(refused(413))
  const parsed = Model.parse(bytes)
  if (parsed === undefined || Array.isArray(parsed.value)) return refused(400)
  const header: Model.HeaderOf = (name) => {
    const values = valuesOf(request, name)
    return values.length === 0 ? undefined : values.join(", ")
  }
  const asked = Model.read(parsed.value, caller, header)
  if (asked.kind === "invalid") return { ...refused(400), asked }
  if (asked.kind === "told") return { ...refused(202, 400, 406), asked }
  const { call } = asked
  const isKeyed = valuesOf(request, "idempotency-key").length > 0
  return {
    ...refused(...(call.runs === "must" ? [200] : call.missingScope ? [403] : [200, 400, 403, 404, 406])),
    asked,
    runs: isKeyed ? weaker(call.runs) : call.runs,
    note: call.note
  }
}
