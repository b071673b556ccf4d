/**
 * Sends metrics and traces to an OpenTelemetry collector, where the environment names one. OpenTelemetry's own variables
 * say where and how often; README.md lists those that matter. Without them nothing is exported and no span is made.
 */
import { Layer } from "effect"
import { FetchHttpClient, UrlParams } from "effect/http"
import { OtlpMetrics, OtlpSerialization, OtlpTracer } from "effect/observability"
import { ServiceDesk } from "./tools.ts"

const resource = { serviceName: ServiceDesk.name, serviceVersion: ServiceDesk.version }

// The span of a request to the messenger has its URL, whose parameters come from a tool's arguments.
const NoParameters = Layer.succeed(UrlParams.CurrentRedactedNames, [/^/])

export const Telemetry = Layer.mergeAll(
  OtlpMetrics.layerFromConfig({ resource }),
  OtlpTracer.layerFromConfig({ resource }),
  NoParameters
).pipe(Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer]))
