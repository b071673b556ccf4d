/**
 * Probes of what a caller may claim by itself: somebody else's key, a role in its arguments, or a rule that can't be checked.
 */
import * as Policy from "@ferrule/core/Policy"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import * as FetchHttpClient from "effect/http/FetchHttpClient"
import { type Bench, eras } from "../internal/Bench.ts"
import { call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { another, callableWrites } from "../internal/callable.ts"
import type { Fault, Probe } from "../internal/Check.ts"
import { tally } from "../internal/tally.ts"
import { exchange, request } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

export const foreignKeys: Probe = {
  info: {
    id: "C09",
    title: "One caller's idempotency key and references are nothing to another",
    why: "A key that another caller can use gives away what the first one wrote, or keeps the other's write from happening.",
    fix: "Derive keys with Ferrule, which binds them to principal and tenant, and keep handles with the principal that got them.",
    severity: "block",
    question: "credentials"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const writes = callableWrites(bench)
    if (writes.length === 0) return { notApplicable: "It has no write that one of the callers may call." }
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    for (const { arguments: args, caller, era, tool } of writes) {
      const strangers = [
        ...(tool.idempotency.sharedWith === undefined ? [another(caller)] : []),
        another(caller, { tenant: "another-tenant" })
      ]
      for (const stranger of strangers) {
        const instance = yield* bench.start()
        const [own, other] = [yield* instance.connect(caller, era), yield* instance.connect(stranger, era)]
        const key = "a-key-of-the-first-caller"
        yield* call(own, tool.name, args, { key })
        const before = instance.executions.length
        const called = yield* call(other, tool.name, args, { key })
        const evidence = `as ${stranger.name}: ${cut(called.text)}`
        const isAllowed = (yield* instance.decide(tool, stranger.principal, args))._tag === "Allowed"
        if (called.replayed) {
          faults.push({
            subject: tool.name,
            message: "gives one caller's result to another who knows the key",
            evidence
          })
        } else if (isAllowed && instance.executions.length === before) {
          faults.push({
            subject: tool.name,
            message: `does not execute one caller's write where another has used the key: ${outcomeOf(called)}`,
            evidence
          })
        }
        if (transcript.length < 3)
          transcript.push(exchangeOf(`as ${stranger.name}, with the first caller's key`, called))
      }
    }
    const status = yield* foreignReferences(bench)
    return {
      faults: tally([...faults, ...status.faults]),
      note: `${writes.length} writes, each with the key of somebody else${status.note}`,
      transcript: [...transcript, ...status.transcript]
    }
  })
}

/** Asks the connector's own status tool about a write of somebody else, and about one that never was. */
const foreignReferences = Effect.fnUntraced(function* (bench: Bench) {
  const status = bench.connector.operationStatus
  const write = callableWrites(bench)[0]
  const caller = status && bench.callerOf(status)
  if (status === undefined || write === undefined || caller === undefined)
    return { faults: [], note: "", transcript: [] }
  const instance = yield* bench.start()
  yield* call(yield* instance.connect(write.caller, write.era), write.tool.name, write.arguments)
  const reference = instance.records.at(-1)?.reference
  const client = yield* instance.connect(another(caller), write.era)
  const field = status.input.fields[0] ?? "reference"
  const foreign = yield* call(client, status.name, { ...bench.argumentsOf(status), [field]: reference })
  const absent = yield* call(client, status.name, { ...bench.argumentsOf(status), [field]: "AAAAAAAA" })
  const same = foreign.text.replaceAll(String(reference), "") === absent.text.replaceAll("AAAAAAAA", "")
  const fault = { subject: status.name, message: "tells of a write of somebody else", evidence: cut(foreign.text) }
  return {
    faults: same ? [] : [fault],
    note: ", and its reference",
    transcript: [exchangeOf("somebody else's reference", foreign)]
  }
})

/** Names that a careless policy or handler might believe. */
const claimed = (roles: ReadonlyArray<string>, id: string): Readonly<Record<string, unknown>> => ({
  role: roles[0],
  roles,
  scope: roles.join(" "),
  admin: true,
  is_admin: true,
  user: id,
  user_id: id,
  principal: id,
  on_behalf_of: id
})

export const ownClaims: Probe = {
  info: {
    id: "C10",
    title: "A role that a caller claims in arguments, _meta or headers is ignored",
    why: "Arguments are written by a model, which writes what it was told to. Whoever believes a role in them lets everybody be admin.",
    fix: "Take roles from the principal alone: remove the argument, and let the policy decide.",
    severity: "block",
    question: "credentials"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const roles = [...new Set(bench.callers.flatMap(({ principal }) => principal.roles))]
    const instance = yield* bench.start()
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    let count = 0
    for (const caller of bench.callers) {
      const token = yield* instance.token(caller)
      for (const tool of bench.tools) {
        const args = bench.argumentsOf(tool)
        if ((yield* instance.decide(tool, caller.principal, args))._tag === "Allowed") continue
        const able = bench.callerOf(tool)?.principal
        for (const claims of variants(claimed(able?.roles ?? roles, able?.id ?? "admin"), roles)) {
          const known = Object.entries(claims).filter(([name]) => tool.input.fields.includes(name))
          for (const era of eras) {
            count++
            const before = instance.executions.length
            const answer = yield* instance.send(
              request({
                era,
                method: "tools/call",
                params: {
                  name: tool.name,
                  // What the schema knows is believed the soonest; what it does not is refused for that alone.
                  arguments: { ...args, ...Object.fromEntries(known) },
                  _meta: { ...claims, "ferrule/principal": claims }
                },
                token,
                headers: { "x-role": roles, "x-forwarded-user": able?.id ?? "admin", "x-user-roles": roles.join(",") }
              })
            )
            if (transcript.length < 2) {
              transcript.push(
                exchange(
                  `as ${caller.name}, who claims to be ${(able?.roles ?? roles).join(", ")}`,
                  `${tool.name} ${JSON.stringify(claims)}`,
                  answer
                )
              )
            }
            if (instance.executions.length > before) {
              faults.push({
                subject: tool.name,
                message:
                  known.length === 0
                    ? `ran for ${caller.name}, who claimed another role in _meta or a header`
                    : `ran for ${caller.name}, who claimed it by the argument ${known.map(([name]) => name).join(" or ")}`,
                evidence: `${era}: ${JSON.stringify(claims)}`
              })
            }
          }
        }
      }
    }
    if (count === 0) return { notApplicable: "Every caller may call every tool." }
    return { faults: tally(faults), note: `${count} calls that claim a role`, transcript }
  })
}

/** A field may take one role alone, so each is tried. */
const variants = (claims: Readonly<Record<string, unknown>>, roles: ReadonlyArray<string>) =>
  roles.length === 0 ? [claims] : roles.map((role) => ({ ...claims, role }))

export const policySource: Probe = {
  info: {
    id: "C11",
    title: "When what a policy asks is down, the call is denied",
    why: "A rule that can't be checked and lets the call pass is open to whoever can bring the service down.",
    fix: "Let the predicate fail with what its service fails with. Ferrule then denies the call; do not catch the failure and answer true.",
    severity: "block"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const tools = bench.tools.filter(({ allow }) => predicatesOf(allow).length > 0)
    if (tools.length === 0) return { notApplicable: "No policy has a rule that could fail to be checked." }
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    const cuts: Cuts = { asked: 0, rules: 0 }
    const ways = [
      ["its service can't be reached", (predicate: Predicate) => withoutNetwork(predicate, cuts)],
      ["its rule fails", failing]
    ] as const
    let count = 0
    for (const [what, broken] of ways) {
      const instance = yield* bench.start({
        tool: (tool) => ({ ...tool, allow: mapped(tool.allow, broken) }) as Tool.Any,
        // A client that was made with its layer sends by that layer's fetch. One call is made at a time.
        upstream: (_, next) => (cuts.rules > 0 ? cutOff(cuts) : next())
      })
      for (const tool of tools) {
        const args = bench.argumentsOf(tool)
        for (const caller of bench.callers) {
          const known = yield* instance.decide(
            { ...tool, allow: mapped(tool.allow, failing) } as Tool.Any,
            caller.principal,
            args
          )
          if (known._tag === "Allowed") continue
          const asked = cuts.asked
          const before = instance.executions.length
          const called = yield* call(yield* instance.connect(caller, eras[count++ % 2]!), tool.name, args)
          if (transcript.length < 3) transcript.push(exchangeOf(`as ${caller.name}, and ${what}`, called))
          // A rule that asks nobody can be checked whatever is down.
          const isCut = what === ways[1][0] || cuts.asked > asked
          if (isCut && instance.executions.length > before) {
            faults.push({
              subject: tool.name,
              message: `runs for ${caller.name} when ${what}`,
              evidence: cut(called.text)
            })
          }
        }
      }
    }
    const sources =
      cuts.asked > 0 ? `${cuts.asked} requests of rules were cut off` : "no rule asks a service over fetch"
    return { faults: tally(faults), note: `${tools.length} tools with rules, ${count} calls; ${sources}`, transcript }
  })
}

type Predicate = Policy.Predicate<never, unknown>

const predicatesOf = (policy: Policy.Any): ReadonlyArray<Predicate> => {
  if (policy._tag === "Predicate") return [policy]
  if (policy._tag === "Not") return predicatesOf(policy.policy)
  return policy._tag === "All" || policy._tag === "Any" ? policy.policies.flatMap(predicatesOf) : []
}

const mapped = (policy: Policy.Any, change: (predicate: Predicate) => Predicate): Policy.Any => {
  switch (policy._tag) {
    case "Predicate":
      return change(policy)
    case "Not":
      return { ...policy, policy: mapped(policy.policy, change) } as Policy.Any
    case "All":
    case "Any":
      return { ...policy, policies: policy.policies.map((part) => mapped(part, change)) } as Policy.Any
    default:
      return policy
  }
}

const failing = (predicate: Predicate): Predicate => ({
  ...predicate,
  test: () => Effect.die(new Error("the rule can't be checked"))
})

interface Cuts {
  asked: number
  /** How many rules are being asked. */
  rules: number
}

const cutOff = (cuts: Cuts) => {
  cuts.asked++
  return Promise.reject(new TypeError("fetch failed"))
}

const withoutNetwork = (predicate: Predicate, cuts: Cuts): Predicate => ({
  ...predicate,
  test: (principal, input) => {
    const answer = predicate.test(principal, input)
    if (!Effect.isEffect(answer)) return answer
    return Effect.acquireUseRelease(
      Effect.sync(() => cuts.rules++),
      () => Effect.provideService(answer, FetchHttpClient.Fetch, () => cutOff(cuts)),
      () => Effect.sync(() => cuts.rules--)
    )
  }
})
