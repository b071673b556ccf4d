import { AuditTrail, Connector, IdempotencyStore, Pipeline, Policy, Principal, Tool } from "@ferrule/core"
import { Effect, Exit, Layer, Schema, Scope } from "effect"
const T = Schema.String.check(Schema.isBetweenLength(1, 100)).annotate({ description: "A text." })
const N = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000000 })).annotate({ description: "A text." })
const input = Schema.Struct({ a: T, b: T, n: N, m: N })
const output = Schema.Struct({ id: N })
const c = { title: "x", description: "does something for a benchmark", input, output, allow: Policy.role("a") }
const R = Tool.read("r", c)
const W = Tool.write("w", { ...c, idempotency: { identity: ["a", "n"], recovery: "repeatable" } })
const C = Connector.make("c", { version: "1", tools: [R, W] })
const h = ({ n }: { readonly n: number }) => Effect.succeed({ id: n })
const scope = Scope.makeUnsafe()
const p = Effect.runSync(
  Pipeline.make(C).pipe(Effect.provide([C.toLayer({ r: h, w: h }), IdempotencyStore.layerMemory]), Scope.provide(scope))
)
const ctx = Effect.runSync(Effect.context<never>().pipe(Effect.provide(AuditTrail.layerNone)))
const run = Effect.runForkWith(ctx)
const principal = Principal.make({ id: "x", roles: ["a"] })
let k = 0
const bench = async (name: string, tool: string, fresh: boolean) => {
  for (let round = 0; round < 5; round++) {
    const n = 20000
    const t = process.cpuUsage()
    let done = 0
    for (let i = 0; i < n; i++) {
      if (fresh) k++
      const f = run(p.call({ tool, arguments: { a: "hello", b: "world", n: k % 1000000, m: 4 }, principal }))
      f.addObserver((e) => {
        if (Exit.isSuccess(e) && e.value._tag === "Completed") done++
      })
      if (i % 64 === 0) await new Promise((r) => setImmediate(r))
    }
    await new Promise((r) => setImmediate(r))
    const c = process.cpuUsage(t)
    const us = (c.user + c.system) / n
    console.log(name, us.toFixed(2), "us", done)
  }
}

await bench("write", "w", true)
