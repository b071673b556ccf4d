/**
 * Probes of who may call what: the declared policies, tried by a caller of each role.
 */
import * as Policy from "@ferrule/core/Policy"
import type * as Tool from "@ferrule/core/Tool"
import * as Effect from "effect/Effect"
import { createHash } from "node:crypto"
import { type Bench, type Caller, type Era, eras, type Instance } from "../internal/Bench.ts"
import { type Called, call, cut, exchangeOf, outcomeOf } from "../internal/Call.ts"
import { BenchFault, type Fault, type Probe } from "../internal/Check.ts"
import { tally } from "../internal/tally.ts"
import { request } from "../internal/wire.ts"
import type { Exchange } from "../Report.ts"

interface Tried {
  readonly caller: Caller
  readonly era: Era
  readonly tool: Tool.Any
  readonly decision: Policy.Decision
  readonly called: Called
  readonly executed: number
  readonly sentUpstream: number
}

export const matrix: Probe = {
  info: {
    id: "C03",
    title: "Each role may call exactly the tools that the policies say",
    why: "The access matrix is what a reviewer signs. A call that it does not allow and that runs anyway is a breach, and one that it allows and that is refused is a connector that does not work.",
    fix: "Let the policy of the tool decide, and nothing before or behind it.",
    severity: "block"
  },
  limit: 60,
  run: Effect.fnUntraced(function* (bench) {
    const tried = (yield* Effect.forEach(eras, (era) => tryAll(bench, era))).flat()
    const scoped = yield* withoutScopes(bench)
    const refused = tried.filter(({ decision }) => decision._tag !== "Allowed")
    return {
      faults: tally([...tried.flatMap(faultsOf), ...scoped.faults]),
      note: `${bench.tools.length} tools × ${bench.callers.length} callers × ${eras.length} eras: ${tried.length} calls, ${refused.length} of them refused${scoped.count > 0 ? `, and ${scoped.count} without the scopes` : ""}`,
      transcript: [
        ...tried.filter(({ decision }) => decision._tag === "Allowed").slice(0, 2),
        ...refused
          .filter(({ decision, tool, caller }) => decision._tag === "Denied" && isVisible(tool, caller))
          .slice(0, 2),
        ...refused.filter(({ caller, tool }) => !isVisible(tool, caller)).slice(0, 2)
      ].map(({ called, caller }) => exchangeOf(`as ${caller.name}`, called))
    }
  })
}

export const isVisible = (tool: Tool.Any, { principal }: Caller) => Policy.isVisible(tool.allow, principal)

/** One after the other, so that what a handler did is known to be this call's doing. */
const tryAll = Effect.fnUntraced(function* (bench: Bench, era: Era) {
  const instance = yield* bench.start()
  const tried: Array<Tried> = []
  for (const caller of bench.callers) {
    const client = yield* instance.connect(caller, era)
    for (const tool of bench.tools) {
      const args = bench.argumentsOf(tool)
      const decision = yield* instance.decide(tool, caller.principal, args)
      const [executions, upstream] = [instance.executions.length, instance.upstream.length]
      const called = yield* call(client, tool.name, args)
      tried.push({
        caller,
        era,
        tool,
        decision,
        called,
        executed: instance.executions.length - executions,
        sentUpstream: instance.upstream.length - upstream
      })
    }
  }
  return tried
})

const faultsOf = ({ called, caller, decision, era, executed, sentUpstream, tool }: Tried): ReadonlyArray<Fault> => {
  const evidence = `as ${caller.name}, ${era}: ${cut(called.text)}`
  const fault = (message: string): ReadonlyArray<Fault> => [{ subject: tool.name, message, evidence }]
  if (decision._tag === "Allowed") {
    const isRefused =
      called.refused?.code === -32602 || (called.error?.class === "AuthorizationError" && executed === 0)
    return isRefused
      ? fault(`is refused to ${caller.name}, and its policy allows the call: ${Policy.explain(decision)}`)
      : []
  }
  const why = Policy.explain(decision)
  if (executed > 0) return fault(`ran for ${caller.name}, and its policy does not allow the call: ${why}`)
  if (sentUpstream > 0) return fault(`sent a request upstream for ${caller.name} before the call was refused`)
  if (!isVisible(tool, caller)) {
    return called.refused?.code === -32602
      ? []
      : fault(`is hidden from ${caller.name}, and answers with ${outcomeOf(called)} instead of -32602`)
  }
  const isTransient = decision._tag === "Unchecked" && called.error?.class === "TransientError"
  return called.error?.class === "AuthorizationError" || isTransient
    ? []
    : fault(`is refused to ${caller.name} with ${outcomeOf(called)} instead of an AuthorizationError`)
}

/** A scope that is missing is asked for by HTTP 403, which names every scope that the call needs. */
const withoutScopes = Effect.fnUntraced(function* (bench: Bench) {
  const instance = yield* bench.start()
  const faults: Array<Fault> = []
  let count = 0
  for (const tool of bench.tools) {
    const caller = bench.callerOf(tool)
    if (caller === undefined || Policy.scopesOf(tool.allow).length === 0) continue
    const bare = { ...caller, principal: { ...caller.principal, scopes: [] } }
    const args = bench.argumentsOf(tool)
    const needed = Policy.missingScopes(tool.allow as Policy.Policy, bare.principal, decoded(tool, args))
    if (needed.length === 0) continue
    const token = yield* instance.token(bare)
    for (const era of eras) {
      count++
      const before = instance.executions.length
      const answer = yield* instance.send(
        request({ era, method: "tools/call", params: { name: tool.name, arguments: args }, token })
      )
      const challenge = answer.headers.get("www-authenticate") ?? ""
      const named = new Set((/scope="([^"]*)"/.exec(challenge)?.[1] ?? "").split(" "))
      const evidence = `${answer.status} ${challenge}`
      const fault = (message: string) => faults.push({ subject: tool.name, message, evidence })
      if (instance.executions.length > before) fault("ran for a caller who lacks its scopes")
      else if (answer.status !== 403 || !challenge.includes("insufficient_scope")) {
        fault("does not answer a missing scope with 403 insufficient_scope")
      } else if (!needed.every((scope) => named.has(scope) || [...named].some((each) => each.endsWith(scope)))) {
        fault("does not name every scope that a caller lacks")
      }
    }
  }
  return { faults, count }
})

const decoded = (tool: Tool.Any, args: unknown) => {
  const input = tool.input.decode(args)
  return input._tag === "Success" ? input.success : undefined
}

export const listings: Probe = {
  info: {
    id: "C04",
    title: "Each caller is listed the tools that it may call, the same ones on each connection",
    why: "What is listed is what a model tries, and it tells what there is. A list that changes from one connection to the next can't be reviewed.",
    fix: "Leave the listing to Ferrule, which makes it from the policies.",
    severity: "block"
  },
  run: Effect.fnUntraced(function* (bench) {
    const instance = yield* bench.start()
    const faults: Array<Fault> = []
    const transcript: Array<Exchange> = []
    const seen = new Set<string>()
    for (const caller of bench.callers) {
      const expected = bench.tools.filter((tool) => isVisible(tool, caller)).map(({ name }) => name)
      for (const era of eras) {
        const hashes = new Set<string>()
        for (let connection = 0; connection < 2; connection++) {
          const listed = yield* listOf(instance, caller, era)
          const names = listed.tools.map(({ name }) => name)
          const fault = (message: string) =>
            faults.push({ subject: bench.connector.name, message, evidence: `${era}: ${names.join(", ")}` })
          const more = names.filter((name) => !expected.includes(name))
          const fewer = expected.filter((name) => !names.includes(name))
          if (more.length > 0) fault(`lists tools to ${caller.name} that its policies hide from it: ${more.join(", ")}`)
          if (fewer.length > 0) fault(`does not list tools to ${caller.name} that it may call: ${fewer.join(", ")}`)
          if (listed.cacheScope === "public") fault("lets what one caller is listed be kept for all of them")
          hashes.add(hashOf(listed.tools))
          if (connection === 0 && era === "2026-07-28") {
            transcript.push({ what: `as ${caller.name}`, sent: "tools/list", answered: names.join(", "), millis: 0 })
            seen.add(names.join())
          }
        }
        if (hashes.size > 1) {
          faults.push({
            subject: bench.connector.name,
            message: `lists other tools to ${caller.name}, or in another order, on a second connection`
          })
        }
      }
    }
    return {
      faults: tally(faults),
      note: `${bench.callers.length} callers × ${eras.length} eras × 2 connections: ${bench.callers.length * eras.length * 2} lists, ${seen.size} different ones`,
      transcript
    }
  })
}

export interface Listed {
  readonly tools: ReadonlyArray<{
    readonly name: string
    readonly outputSchema?: Readonly<Record<string, unknown>> | undefined
  }>
  readonly cacheScope: unknown
}

/** What a new connection of this caller is listed. */
export const listOf = (instance: Instance, caller: Caller, era: Era) =>
  Effect.scoped(
    Effect.gen(function* () {
      const client = yield* instance.connect(caller, era)
      const answer = yield* Effect.tryPromise({
        try: () => client.listTools(),
        catch: () => new BenchFault({ message: `does not list its tools to a client of revision ${era}` })
      })
      const listed: Listed = { tools: answer.tools, cacheScope: (answer as Record<string, unknown>)["cacheScope"] }
      return listed
    })
  )

export const hashOf = (value: unknown): string => createHash("sha256").update(JSON.stringify(value)).digest("hex")
