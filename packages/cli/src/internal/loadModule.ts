/**
 * Loads the module of a connector: what it exports is the connector, or an audit of one.
 */
import * as Effect from "effect/Effect"
import type * as Connector from "@ferrule/core/Connector"
import { resolve } from "node:path"
import { type Audit, isAudit } from "../Audit.ts"
import { importModule, type Module } from "./importModule.ts"
import { Unusable } from "./Unusable.ts"

/** A connector, and how it is audited where its module says so. */
export interface Loaded {
  readonly path: string
  readonly connector: Connector.Any
  readonly audit: Audit | undefined
}

export interface LoadOptions {
  /** Which export it is, where there are several. */
  readonly export?: string | undefined
}

/** Imports the module and finds the connector in it. */
export const loadModule = Effect.fnUntraced(function* (file: string, options: LoadOptions = {}) {
  const module = yield* importModule(file)
  return yield* find(file, resolve(file), module, options.export)
})

/** Finds the one connector that a module exports, or the one of that name. */
export const find = (file: string, path: string, module: Module, name: string | undefined) => {
  const usable = new Map<string, Loaded>()
  for (const [key, value] of Object.entries(module)) {
    if (isAudit(value)) usable.set(key, { path, connector: value.connector, audit: value })
    else if (isConnector(value)) usable.set(key, { path, connector: value, audit: undefined })
  }
  const names = [...usable.keys()]
  if (name !== undefined) {
    const chosen = usable.get(name)
    if (chosen !== undefined) return Effect.succeed(chosen)
    return new Unusable({
      message: `${file} exports no connector named ${name}. ${names.length === 0 ? "It exports none at all." : `It has ${names.join(", ")}.`}`
    })
  }
  // An audit says more than the connector that it is of, which is often exported beside it.
  const audits = names.filter((each) => usable.get(each)!.audit !== undefined)
  const candidates = audits.length > 0 ? audits : names
  const distinct = new Set(candidates.map((each) => usable.get(each)!.connector))
  if (distinct.size === 1) return Effect.succeed(usable.get(candidates[0]!)!)
  return new Unusable({
    message:
      distinct.size === 0
        ? `${file} exports no connector. Export what Connector.make returns, or Audit.make of it.`
        : `${file} exports several connectors (${candidates.join(", ")}). Choose one with --export.`
  })
}

const isConnector = (value: unknown): value is Connector.Any =>
  typeof value === "object" &&
  value !== null &&
  "toLayer" in value &&
  "handlers" in value &&
  "tools" in value &&
  Array.isArray(value.tools)
