import { IdempotencyKey, IdempotencyStore, Policy, Principal, Tool } from "@ferrule/core"
import { Duration, Effect, Schema } from "effect"
const T = Schema.String.check(Schema.isBetweenLength(1, 100)).annotate({ description: "A text." })
const N = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000000 })).annotate({ description: "A text." })
const input = Schema.Struct({ a: T, b: T, n: N, m: N })
const output = Schema.Struct({ id: N })
const c = { title: "x", description: "does something for a benchmark", input, output, allow: Policy.role("a") }
const W = Tool.write("w", { ...c, idempotency: { identity: ["a", "n"], recovery: "repeatable" } })
const principal = Principal.make({ id: "x", roles: ["a"] })
const args = { a: "hello", b: "world", n: 1, m: 4 }
const bench = (name: string, f: (i: number) => unknown) => {
  let best = Infinity
  for (let r = 0; r < 6; r++) {
    const n = 30000
    const t = process.cpuUsage()
    for (let i = 0; i < n; i++) f(i)
    const c = process.cpuUsage(t)
    best = Math.min(best, (c.user + c.system) / n)
  }
  console.log(name.padEnd(20), best.toFixed(2), "us")
}
const store = Effect.runSync(IdempotencyStore.pipe(Effect.provide(IdempotencyStore.layerMemory)))
bench("decode", () => W.input.decode(args))
bench("encode input", () => W.input.encode(args))
bench("encode output", () => W.output.encode({ id: 3 }))
bench("runSync noop", () => Effect.runSync(Effect.sync(() => 1)))
bench("derive", () => Effect.runSync(IdempotencyKey.derive("c", W, principal, args, undefined)))
const lease = Duration.seconds(30)
bench("claim", (i) => Effect.runSync(store.claim({ key: "k" + i, owner: "o", guards: "g", lease, retention: lease })))
bench("settle", (i) => Effect.runSync(store.settle({ key: "k" + i, owner: "o", result: "g", retention: lease })))
bench("timeout", () =>
  Effect.runSync(Effect.timeoutOrElse(Effect.succeed(1), { duration: lease, orElse: () => Effect.succeed(2) })))
bench("gen", () =>
  Effect.runSync(
    Effect.gen(function* () {
      yield* Effect.void
      yield* Effect.void
      return 1
    })
  ))
bench("mask", () => Effect.runSync(Effect.uninterruptibleMask((r) => r(Effect.succeed(1)))))
bench("uuid", () => globalThis.crypto.randomUUID())
import * as Idem from "../packages/core/src/pipeline/3_idempotency.ts"
import * as Ex from "../packages/core/src/pipeline/4_execute.ts"
import { Context, Scope, Clock } from "effect"
const scope = Scope.makeUnsafe()
const once = Effect.runSync(Idem.make(store).pipe(Scope.provide(scope)))
const mk = (i: number, execute: any) => ({ tool: W as any, key: { key: "z" + i + Math.random(), guards: "a", reference: "x" }, attempts: { count: 0, uncertain: false, abandoned: false }, execute, find: undefined })
const ok = { id: 3 }
bench("mk", (i) => mk(i, null))
bench("once", (i) => Effect.runSync(once(mk(i, () => Effect.succeed(ok)))))
const program = { find: undefined, execute: () => Effect.succeed(ok), services: Context.empty() }
const ex = () => ({ tool: W as any, program, principal, input: args, correlationId: "c", key: "k", attempts: { count: 0, uncertain: false, abandoned: false }, progress: undefined })
bench("execute", () => Effect.runSync(Ex.execute(ex() as any, Effect.void)))
bench("once+execute", (i) => Effect.runSync(once(mk(i, (g: any) => Ex.execute(ex() as any, g)))))
bench("fork", () => Effect.runSync(Effect.flatMap(Effect.forkIn(Effect.succeed(1), scope, { startImmediately: true }), (f) => f.pipe((x) => Effect.succeed(x)))))
bench("clock", () => Effect.runSync(Clock.currentTimeMillis))
bench("fnU", (() => { const f = Effect.fnUntraced(function* () { yield* Effect.void; return 1 }); return () => Effect.runSync(f()) })())
bench("hrtime", () => process.hrtime.bigint() < 5n)
