/**
 * A probe of parameters that end up in an address, a file's name or a command.
 */
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import type { Bench } from "../internal/Bench.ts"
import { type Called, call, cut, exchangeOf } from "../internal/Call.ts"
import { type Callable, callable } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import type { JsonSchema } from "../internal/Subject.ts"
import { tally } from "../internal/tally.ts"
import { byOthers, type Sent, watchUpstream } from "../internal/watchUpstream.ts"

export const hostileValues: Probe = {
  info: {
    id: "G04",
    title: "Values that climb out of a path, lead to another host or hold commands are refused before the upstream",
    why: "A parameter that becomes part of an address lets the caller choose where the connector's own credential goes: to the cloud's metadata, to another customer's record, to a file of the server.",
    fix: "Give such a parameter a pattern or a list of values, and build addresses with UpstreamClient, which does not leave its own.",
    severity: "block"
  },
  limit: 150,
  run: Effect.fnUntraced(function* (bench) {
    // One after the other, since sockets do not say whose they are.
    const seen = yield* Effect.forEach(callable(bench), (one) => Effect.scoped(attack(bench, one)))
    const attempts = seen.flat()
    if (attempts.length === 0) return { notApplicable: "no tool has a parameter that is a text" }
    const refused = attempts.filter(({ called, others, sent }) => called.isError && sent.length + others.length === 0)
    return {
      faults: tally(attempts.flatMap(faultsOf)),
      note: `${attempts.length} values, ${refused.length} of them refused before the upstream, the others sent as plain data or kept`,
      transcript: [
        ...refused.slice(0, 3),
        ...attempts.filter(({ others, sent }) => sent.length + others.length > 0).slice(0, 3)
      ].map(({ called, field }) => exchangeOf(`a hostile value of ${field}`, called))
    }
  })
}

const climbing = ["../../../../etc/passwd", "..%2f..%2fadmin", "/etc/passwd", "x/../../admin", "T-1?admin=1#"]
const leading = [
  "http://169.254.169.254/latest/meta-data/",
  "http://localhost:22/",
  "http://[::1]/",
  "//169.254.169.254/",
  "file:///etc/passwd"
]
const commanding = ["'; DROP TABLE users; --", "$(cat /etc/passwd)", "`id`", "| cat /etc/passwd"]

const isPath = /path|file|dir(ectory)?$|folder/i
const isAddress = /ur[il]$|^ur[il]|host|domain|endpoint|callback|webhook|link/i
const isCommand = /sql|command|cmd|shell|script|^where$|expression/i

/** What may not be accepted at all by a parameter of this name. */
const forbidden = (field: string): ReadonlyArray<string> => [
  ...(isPath.test(field) ? climbing : []),
  ...(isAddress.test(field) ? leading : []),
  ...(isCommand.test(field) ? commanding : [])
]

interface Attempt {
  readonly field: string
  readonly value: string
  readonly valid: string
  readonly called: Called
  readonly sent: ReadonlyArray<Sent>
  /** By other clients, of the handler or of an upstream that is in this process. */
  readonly others: ReadonlyArray<Sent>
  /** Where connections were begun to, by whatever client. */
  readonly connections: ReadonlyArray<string>
  /** What the tool sends for its valid arguments. */
  readonly usual: ReadonlyArray<Sent>
}

const attack = Effect.fnUntraced(function* (bench: Bench, one: Callable) {
  const { arguments: args, caller, era, tool } = one
  const fields = textsOf(tool)
  if (fields.length === 0) return []
  const watch = watchUpstream()
  const instance = yield* bench.start({ upstream: watch.upstream })
  const client = yield* instance.connect(caller, era)
  const send = Effect.fnUntraced(function* (given: Readonly<Record<string, unknown>>) {
    const [before, mark] = [watch.sent.length, instance.egress.mark()]
    const called = yield* call(client, tool.name, given)
    const sent = watch.sent.slice(before)
    const { connections, requests } = instance.egress.since(mark)
    const own = ({ isGrant }: Sent) => !isGrant
    return { called, connections, sent: sent.filter(own), others: byOthers(requests, sent).filter(own) }
  })
  const first = yield* send(args)
  const usual = [...first.sent, ...first.others]
  const values = [...climbing, ...leading, ...commanding]
  return yield* Effect.forEach(
    fields.flatMap((field) => values.map((value) => ({ field, value }))),
    Effect.fnUntraced(function* ({ field, value }) {
      const attempt = yield* send({ ...args, [field]: value })
      return { field, value, valid: String(args[field] ?? ""), usual, ...attempt } satisfies Attempt
    })
  )
})

const textsOf = ({ input }: Tool.Any): ReadonlyArray<string> => {
  const properties = input.jsonSchema["properties"] as Readonly<Record<string, JsonSchema>>
  return input.fields.filter((name) => properties[name]?.["type"] === "string" && !("enum" in properties[name]!))
}

const faultsOf = ({ called, connections, field, others, sent, usual, valid, value }: Attempt): ReadonlyArray<Fault> => {
  const fault = (message: string, evidence: string): Fault => ({
    subject: called.tool,
    where: `/inputSchema/properties/${field}`,
    message,
    evidence: `${field}: ${value}\n${evidence}`
  })
  const near = others.filter(
    ({ url }) => usual.some((one) => one.url.origin === url.origin) || addressOf(url) === hostOf(value)
  )
  const strayed = [...sent, ...near].find((request) => !isUsual(request, usual, valid, value))
  if (strayed !== undefined) {
    const { method, url } = strayed
    return [fault(`lets ${field} choose where its request goes`, `${method} ${url.origin}${url.pathname}`)]
  }
  const chosen = connections.find((to) => to === hostOf(value))
  if (chosen !== undefined) return [fault(`lets ${field} choose where it connects to`, `a connection to ${chosen}`)]
  return forbidden(field).includes(value) && (!called.isError || sent.length + others.length > 0)
    ? [fault(`accepts any value of ${field}`, cut(called.text))]
    : []
}

/** The host and port that an address names. */
const hostOf = (value: string): string | undefined => {
  const url = URL.parse(value.startsWith("//") ? `http:${value}` : value)
  return url === null || url.hostname === "" ? undefined : addressOf(url)
}

const addressOf = ({ hostname, port }: URL) => `${hostname}:${port || "80"}`

/** It goes where a usual one goes, with the value as one part of the path where that has the valid one. */
const isUsual = ({ url }: Sent, usual: ReadonlyArray<Sent>, valid: string, value: string): boolean =>
  usual.length === 0
    ? !["169.254.169.254", "localhost", "[::1]"].includes(url.hostname)
    : usual.some(
        (one) => one.url.origin === url.origin && pathsOf(one.url.pathname, valid, value).includes(url.pathname)
      )

const pathsOf = (path: string, valid: string, value: string): ReadonlyArray<string> => {
  const encoded = encodeURIComponent(valid)
  return valid === ""
    ? [path]
    : [
        path,
        path
          .split("/")
          .map((part) => (part === encoded ? encodeURIComponent(value) : part))
          .join("/")
      ]
}
