/**
 * Serves a module's connector on standard input and output, with the layers that it gives for tests: what a probe starts as
 * a process of its own. The arguments are the file, the export or nothing, and the principal as JSON.
 */
import * as Identity from "@ferrule/mcp/Identity"
import * as Mcp from "@ferrule/mcp/Mcp"
import type { PrincipalData } from "@ferrule/core/Principal"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { pathToFileURL } from "node:url"
import { shared } from "./bench/store.ts"
import { find } from "./loadModule.ts"
import type { Module } from "./importModule.ts"

const [file = "", name = "", principal = "{}"] = process.argv.slice(2)

const served = Effect.gen(function* () {
  const module = yield* Effect.promise((): Promise<Module> => import(pathToFileURL(file).href))
  const { audit, connector } = yield* find(file, file, module, name === "" ? undefined : name)
  if (audit === undefined) return yield* Effect.die(new Error(`${file} has no layers for tests`))
  const built = yield* Layer.build(audit.layers)
  const identity = yield* Layer.build(Identity.Identity.layerDeclared(JSON.parse(principal) as PrincipalData))
  // `any`: what the connector requires is what its audit's layers give, as the type of `Audit.make` says.
  // oxlint-disable-next-line typescript/no-explicit-any
  const services = Context.mergeAll(built, shared(built), identity) as Context.Context<any>
  return yield* Effect.provideContext(Mcp.runStdio(connector), services)
})

Mcp.runMain(Effect.scoped(served))
