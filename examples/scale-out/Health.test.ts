import { assert, it } from "@effect/vitest"
import { ConfigProvider, Deferred, Effect, Exit, Fiber, Layer, Schedule, Scope } from "effect"
import { createServer } from "node:net"
import { Health } from "./Health.ts"

const freePort = Effect.callback<number>((resume) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    server.close(() => resume(Effect.succeed(port)))
  })
})

it.live(
  "an instance is sent requests from when it serves until it is about to end, and then has time to be asked",
  () =>
    Effect.gen(function* () {
      const port = yield* freePort
      const environment = ConfigProvider.layer(ConfigProvider.fromUnknown({ DESK_HEALTH_PORT: port }))
      const status = Effect.map(
        Effect.tryPromise(() => fetch(`http://127.0.0.1:${port}/health`)),
        (response) => response.status
      )
      const becomes = (expected: number) =>
        Effect.repeat(status, { until: (status) => status === expected, schedule: Schedule.spaced("10 millis") })

      const scope = yield* Scope.make()
      const begun = yield* Deferred.make<void>()
      let serving = false
      const Server = Layer.effectDiscard(
        Effect.acquireRelease(
          Effect.andThen(
            Deferred.await(begun),
            Effect.sync(() => (serving = true))
          ),
          () => Effect.sync(() => (serving = false))
        )
      )
      const Instance = Health.layerServing("1 second").pipe(Layer.provide(Server), Layer.provideMerge(Health.layer))
      const building = yield* Effect.forkChild(Layer.buildWithScope(Layer.provide(Instance, environment), scope))
      yield* Effect.retry(becomes(503), Schedule.spaced("10 millis"))

      yield* Deferred.succeed(begun, undefined)
      yield* Fiber.join(building)
      assert.strictEqual(yield* status, 200)
      assert.isTrue(serving)

      const ending = yield* Effect.forkChild(Scope.close(scope, Exit.void), { startImmediately: true })
      yield* becomes(404)
      assert.isTrue(serving)

      yield* Fiber.join(ending)
      assert.isFalse(serving)
      yield* Effect.flip(status)
    })
)
