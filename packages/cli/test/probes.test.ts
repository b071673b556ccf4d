import { Policy, type Tool } from "@ferrule/core"
import type { Audit } from "@ferrule/cli/Audit"
import * as AuditSink from "@ferrule/core/AuditSink"
import { Mcp } from "@ferrule/mcp"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import { RateLimiter } from "effect/persistence"
import type { Instance, StartOptions } from "../src/internal/Bench.ts"
import { probes } from "../src/probes/index.ts"
import { badly, desk, finds, type Given, outcomeOf, passes } from "./probing.ts"
import ledgerAudit from "../../../examples/ledger/connector.ts"
import { goodConnector } from "./fixtures/goodConnector.ts"
import noisy from "./fixtures/noisy.ts"

const ledger: Given = { audit: ledgerAudit }

const mine = probes.filter(({ info }) => /^[CDH]/.test(info.id))

describe("a connector that keeps its promises passes", () => {
  for (const { info } of mine) {
    it.live(`${info.id}: ${info.title}`, () => passes(info.id, desk))
  }
  it.live("C06, where the token is exchanged for one of the upstream", () => passes("C06", ledger))
  it.live("H04, where a token is fetched for all callers at once", () => passes("H04", ledger))
  it.live("H05, where calls that are let in fail and are tried again", () => passes("H05", ledger))
  it.live("H05, with a limit that holds", () => passes("H05", counted))
  it.live("H07, with a trail that is asked before each write", () => passes("H07", strict))
  it.live("C11, where a rule fails with the service that it asks", () =>
    Effect.map(outcomeOf("C11", badly), (outcome) =>
      assert.deepStrictEqual("faults" in outcome && outcome.faults.map(({ subject }) => subject), ["guarded"])
    )
  )
})

const open = (tool: Tool.Any): Tool.Any => ({ ...tool, allow: Policy.not(Policy.role("nobody")) })

/** A proxy that makes the headers say what the body says. */
const mending = (instance: Instance): Instance => ({
  ...instance,
  send: (request) => {
    const { method, params } = JSON.parse(String(request.body)) as {
      readonly method: string
      readonly params: { readonly name: string }
    }
    const headers = {
      ...request.headers,
      "mcp-method": method,
      "mcp-name": params.name,
      "mcp-protocol-version": "2026-07-28"
    }
    return instance.send({ ...request, headers })
  }
})

/** A proxy that knows one revision. */
const ofOneEra = (instance: Instance): Instance => ({
  ...instance,
  send: (request) =>
    String(request.body).includes("server/discover")
      ? Effect.succeed({ status: 404, headers: new Headers(), text: "", millis: 0 })
      : instance.send(request)
})

let starts = 0
const another = (tool: Tool.Any): Tool.Any => ({ ...tool, description: `${tool.description} ${++starts}` })

const repeating = (tool: Tool.Any): Tool.Any =>
  ({
    ...tool,
    input: {
      ...tool.input,
      decode: (input: unknown) =>
        Result.mapError(tool.input.decode(input), () => [
          { path: "", message: `is wrong: ${JSON.stringify(input)}`, expected: "" }
        ])
    }
  }) as Tool.Any

/** A proxy that takes the token out of the query. */
const obliging = (instance: Instance): Instance => ({
  ...instance,
  send: ({ path, ...request }) => {
    const token = new URL(path ?? "", instance.url).searchParams.get("access_token")
    const headers = token === null ? request.headers : { ...request.headers, authorization: `Bearer ${token}` }
    return instance.send({ ...request, ...(headers && { headers }) })
  }
})

const rooms: Audit = goodConnector

const caught = (tool: Tool.Any): Tool.Any => ({ ...tool, allow: catching(tool.allow) }) as Tool.Any

const catching = (policy: Policy.Any): Policy.Any => {
  if (policy._tag === "All") return { ...policy, policies: policy.policies.map(catching) } as Policy.Any
  if (policy._tag !== "Predicate") return policy
  const test = (...of: Parameters<typeof policy.test>) => {
    const answer = policy.test(...of)
    return Effect.isEffect(answer) ? Effect.catchCause(answer, () => Effect.succeed(true)) : answer
  }
  return { ...policy, test } as Policy.Any
}

const changed = (options: StartOptions): Given => ({ ...desk, options: (asked) => ({ ...asked, ...options }) })

/** The rooms of a house, where a rule that can't be asked lets the caller through: its client was made with its layer. */
const credulous: Given = {
  audit: { ...rooms, connector: { ...rooms.connector, tools: rooms.connector.tools.map(caught) } }
}

/** A store that takes all operations for the same one. */
const forgetful: StartOptions = {
  store: (store) => ({
    ...store,
    claim: (options) =>
      Effect.map(store.claim({ ...options, key: "all" }), (claim) =>
        claim._tag === "Existing" ? { ...claim, guards: options.guards } : claim
      ),
    settle: (options) => store.settle({ ...options, key: "all" })
  })
}

/** A trail that has to keep the beginning of a write before it begins. */
const strict: Given = {
  ...desk,
  audit: {
    ...desk.audit,
    layers: Layer.merge(desk.audit.layers, AuditSink.layer(Effect.succeed({ append: () => Effect.void })))
  }
}

const counted: Given = {
  ...badly,
  audit: {
    ...badly.audit,
    layers: Layer.merge(badly.audit.layers, Layer.provide(RateLimiter.layer, RateLimiter.layerStoreMemory))
  }
}

const unlogged: StartOptions = { trail: () => ({ record: () => Effect.void }) }

const hasty: Given = {
  ...strict,
  options: (asked) => ({ ...asked, trail: (trail) => ({ ...asked.trail!(trail), begin: () => Effect.void }) })
}

/** The desk on a server of its own. */
const served = (options: Omit<Mcp.HttpServerOptions, "port">): Given => ({
  ...desk,
  audit: {
    ...desk.audit,
    server: (connector, address) => Mcp.layerHttpServer(connector, { ...address, ...options })
  }
})

const evil = served({ allowedHosts: ["127.0.0.1", "evil.example"], allowedOrigins: ["evil.example"] })

describe("a connector that breaks one is found out", () => {
  const found = (id: string, given: Given, subject: string, message: string) =>
    it.live(`${id}: ${subject} ${message}`, () => finds(id, given, { subject, message }))

  found("C01", badly, "ask", "answers tools/call without a token with 200")
  found("C01", badly, "careless", "publishes no metadata of a protected resource")
  found("C02", badly, "careless", "answers a token expired an hour ago with 200 instead of 401")
  found("C02", badly, "careless", "answers a token without a signature (alg none) with 200 instead of 401")
  found("C03", changed({ tool: open }), "delete_ticket", "ran for viewer, and its policy does not allow the call")
  found("C04", changed({ tool: open }), "service-desk", "lists tools to no role that its policies hide from it")
  found("C05", { ...desk, instance: obliging }, "service-desk", "accepts a request with access_token in the query")
  found("C06", badly, "ask", "sends the caller's token upstream, as it is")
  found("C07", badly, "careless", "takes a token of a key that is no longer published")
  found("C08", badly, "linger", "answers a session whose token has expired with 200")
  found("C09", changed(forgetful), "create_ticket", "gives one caller's result to another who knows the key")
  found("C10", badly, "promote", "ran for agent, who claimed it by the argument role")
  found("C11", badly, "guarded", "runs for agent when its service can't be reached")
  found("C11", credulous, "book_room", "runs for employee when its service can't be reached")
  found("D01", badly, "ask", "lets out an upstream's error body, ")
  found("D01", badly, "ask", "lets out a caller's token, ")
  found(
    "D02",
    badly,
    "ask",
    "lets out a credential that was sent upstream, as it is, in the log when its upstream never"
  )
  found("D03", badly, "careless", "lets out a malformed token, as it is, in the log")
  found("D04", changed({ tool: repeating }), "read_ticket", "lets out a rejected argument, ")
  found("D05", badly, "careless/Vault", "shows a credential that was sent upstream, as it is, when it is printed")
  found("H01", evil, "service-desk", "answers a foreign Origin with 200")
  found("H01", evil, "service-desk", "answers a foreign Host with 200")
  found("H02", served({ host: "0.0.0.0", allowedHosts: ["127.0.0.1"] }), "service-desk", "can be reached at")
  found("H03", { ...desk, instance: mending }, "service-desk", "answers another Mcp-Name with 200 instead of 400")
  found("H04", badly, "linger", "sends requests upstream after its timeout")
  found("H05", { audit: noisy }, "noisy", "declares no rate limit: one caller may have its tools executed without end")
  found("H05", badly, "linger", "was executed 6 times for one caller, and its limit is 3")
  found(
    "H06",
    { ...desk, instance: (instance) => ({ ...instance, records: [] }) },
    "search_tickets",
    "leaves no audit record of a call"
  )
  found("H07", changed(unlogged), "search_tickets", "runs while the trail is down, and leaves its record in no log")
  found("H07", hasty, "create_ticket", "writes while the trail can't keep that it begins")
  found("H08", { audit: noisy, file: "./fixtures/noisy.ts" }, "noisy", "writes a line to standard output")
  found(
    "H09",
    { ...desk, instance: ofOneEra },
    "service-desk",
    "does not answer server/discover of revision 2026-07-28"
  )
  found("H10", changed({ tool: another }), "search_tickets", "is another tool after a restart")
})

describe("what can't be judged is not said to be good", () => {
  const note = (id: string, given: Given, what: "notSeen" | "notApplicable") =>
    it.live(`${id} is ${what}`, () => Effect.map(outcomeOf(id, given), (outcome) => assert.property(outcome, what)))

  note("C06", { audit: noisy }, "notApplicable")
  note("C09", { audit: noisy }, "notApplicable")
  note("C11", { audit: noisy }, "notApplicable")
  note("D05", { audit: noisy }, "notApplicable")
  note("H08", { audit: noisy }, "notSeen")
})
