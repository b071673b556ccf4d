/** An OpenTelemetry collector for tests: a server that takes OTLP over HTTP in JSON, and keeps what it was sent. */
import { Effect, Schema } from "effect"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const Attributes = Schema.Array(
  Schema.Struct({
    key: Schema.String,
    value: Schema.Struct({ stringValue: Schema.optionalKey(Schema.String) })
  })
)
const Points = Schema.Struct({
  dataPoints: Schema.Array(
    Schema.Struct({
      attributes: Attributes,
      count: Schema.optionalKey(Schema.Int),
      asDouble: Schema.optionalKey(Schema.Number)
    })
  )
})
const Metrics = Schema.Struct({
  resourceMetrics: Schema.Array(
    Schema.Struct({
      resource: Schema.Struct({ attributes: Attributes }),
      scopeMetrics: Schema.Array(
        Schema.Struct({
          metrics: Schema.Array(
            Schema.Struct({
              name: Schema.String,
              unit: Schema.String,
              histogram: Schema.optionalKey(Points),
              sum: Schema.optionalKey(Points)
            })
          )
        })
      )
    })
  )
})
const Traces = Schema.Struct({
  resourceSpans: Schema.Array(
    Schema.Struct({
      scopeSpans: Schema.Array(
        Schema.Struct({
          spans: Schema.Array(
            Schema.Struct({
              traceId: Schema.String,
              parentSpanId: Schema.optionalKey(Schema.String),
              name: Schema.String,
              attributes: Attributes
            })
          )
        })
      )
    })
  )
})

const attributesOf = (list: typeof Attributes.Type) =>
  Object.fromEntries(list.map(({ key, value }) => [key, value.stringValue]))

const decodeMetrics = Schema.decodeUnknownSync(Schema.fromJsonString(Metrics))
const decodeTraces = Schema.decodeUnknownSync(Schema.fromJsonString(Traces))

/** Listens on a free port until the scope closes. */
export const start = Effect.acquireRelease(
  Effect.callback<{
    readonly url: string
    readonly bodies: ReadonlyArray<string>
    /** What the last export said of each metric: its unit, and a count for each set of attributes. */
    readonly metrics: () => ReadonlyArray<readonly [name: string, unit: string, attributes: object, count: number]>
    readonly spans: () => ReadonlyArray<{
      readonly name: string
      readonly traceId: string
      readonly attributes: object
    }>
    readonly service: () => object
    readonly stop: () => void
  }>((resume) => {
    const bodies: Array<string> = []
    const spans: Array<{ readonly name: string; readonly traceId: string; readonly attributes: object }> = []
    let last: typeof Metrics.Type = { resourceMetrics: [] }
    const server = createServer((request, response) => {
      let body = ""
      request
        .setEncoding("utf8")
        .on("data", (chunk) => (body += chunk))
        .on("end", () => {
          bodies.push(body)
          if (request.url === "/v1/metrics") last = decodeMetrics(body)
          if (request.url === "/v1/traces") {
            const sent = decodeTraces(body).resourceSpans.flatMap(({ scopeSpans }) =>
              scopeSpans.flatMap((scope) => scope.spans)
            )
            spans.push(...sent.map((span) => ({ ...span, attributes: attributesOf(span.attributes) })))
          }
          response.writeHead(200, { "content-type": "application/json" }).end("{}")
        })
    })
    server.listen(0, "127.0.0.1", () => {
      resume(
        Effect.succeed({
          url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
          bodies,
          metrics: () =>
            last.resourceMetrics
              .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
              .flatMap(({ histogram, name, sum, unit }) =>
                [...(histogram?.dataPoints ?? []), ...(sum?.dataPoints ?? [])].map(
                  ({ asDouble, attributes, count }) =>
                    [name, unit, attributesOf(attributes), count ?? asDouble ?? 0] as const
                )
              ),
          spans: () => spans,
          service: () => attributesOf(last.resourceMetrics.flatMap(({ resource }) => resource.attributes)),
          stop: () => {
            server.close()
            server.closeAllConnections()
          }
        })
      )
    })
  }),
  ({ stop }) => Effect.sync(stop)
)
