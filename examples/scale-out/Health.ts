/**
 * Tells the balancer whether to send requests here, on a port that clients don't reach. `GET /health` answers 503 until the
 * instance serves, 200 while it does, and 404 once it is about to end, which is HAProxy's word for "finish what you have,
 * and get nothing new".
 *
 * It asks nothing of the databases. Where one of them is down, all instances would be taken out at once, and callers would
 * get the balancer's 503 instead of an answer that tells them to wait and repeat the call.
 */
import { NodeHttpServer } from "@effect/platform-node"
import { Config, Context, type Duration, Effect, Layer, Ref } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"

/** Where the balancer reaches this instance: an address of its machine that clients do not. */
export const address = Config.withDefault(Config.NonEmptyString("DESK_ADDRESS"), "127.0.0.1")

export class Health extends Context.Service<
  Health,
  {
    /** What the balancer is told. */
    readonly status: Ref.Ref<200 | 404 | 503>
  }
>()("scale-out/Health") {
  /** Answers on `DESK_HEALTH_PORT`. */
  static readonly layer = Layer.unwrap(
    Effect.gen(function* () {
      const host = yield* address
      const port = yield* Config.Int("DESK_HEALTH_PORT")
      const status = yield* Ref.make<200 | 404 | 503>(503)
      const answer = Effect.map(Ref.get(status), (status) => HttpServerResponse.empty({ status }))
      return HttpRouter.serve(HttpRouter.add("GET", "/health", answer), {
        disableLogger: true,
        disableListenLog: true
      }).pipe(
        Layer.provide(NodeHttpServer.layer(createServer, { host, port, gracefulShutdownTimeout: 0 })),
        Layer.merge(Layer.succeed(Health, { status }))
      )
    })
  )

  /**
   * Goes on top of the server. From then on the instance gets requests. When it is to end, this comes first: it tells the
   * balancer, and gives it time to ask, before the server stops listening.
   */
  static readonly layerServing = (notice: Duration.Input): Layer.Layer<never, never, Health> =>
    Layer.effectDiscard(
      Effect.flatMap(Health, ({ status }) =>
        Effect.acquireRelease(Ref.set(status, 200), () => Effect.andThen(Ref.set(status, 404), Effect.sleep(notice)))
      )
    )
}
