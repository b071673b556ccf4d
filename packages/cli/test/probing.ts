/** Runs a probe by its id, on a connector as it is, or on one whose instances are changed. */
import type { Audit } from "@ferrule/cli/Audit"
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import { fileURLToPath } from "node:url"
import * as Bench from "../src/internal/Bench.ts"
import type { Fault } from "../src/internal/Check.ts"
import { probes } from "../src/probes/index.ts"
import careless from "./fixtures/careless.ts"
import serviceDesk from "../../../examples/service-desk/connector.ts"

export interface Given {
  readonly audit: Audit
  readonly file?: string
  /** Changes what every instance is started with, given what the probe asks for. */
  readonly options?: (asked: Bench.StartOptions) => Bench.StartOptions
  /** Changes each instance once it runs. */
  readonly instance?: (instance: Bench.Instance) => Bench.Instance
}

export const desk: Given = { audit: serviceDesk, file: "../../../examples/service-desk/connector.ts" }
export const badly: Given = { audit: careless, file: "./fixtures/careless.ts" }

export const outcomeOf = (id: string, { audit, file, instance = (same) => same, options = (same) => same }: Given) =>
  Effect.scoped(
    Effect.gen(function* () {
      const path = file === undefined ? undefined : fileURLToPath(new URL(file, import.meta.url))
      const bench = yield* Bench.make(audit, path === undefined ? {} : { module: { path, export: undefined } })
      const probe = probes.find(({ info }) => info.id === id)!
      return yield* probe.run({
        ...bench,
        start: (asked = {}) => Effect.map(bench.start(options(asked)), instance)
      })
    })
  )

const faultsOf = (outcome: Effect.Success<ReturnType<typeof outcomeOf>>): ReadonlyArray<Fault> => {
  assert.property(outcome, "faults", JSON.stringify(outcome))
  return "faults" in outcome ? outcome.faults : []
}

/** The probe goes through something and finds nothing that blocks. */
export const passes = (id: string, given: Given) =>
  Effect.map(outcomeOf(id, given), (outcome) =>
    assert.deepStrictEqual(
      faultsOf(outcome).filter(({ severity }) => severity !== "warn"),
      []
    )
  )

/** The probe finds this, among others. */
export const finds = (id: string, given: Given, fault: Partial<Fault>) =>
  Effect.map(outcomeOf(id, given), (outcome) => {
    const faults = faultsOf(outcome)
    const names = Object.keys(fault) as ReadonlyArray<keyof Fault>
    const found = faults.some((each) => names.every((name) => String(each[name]).startsWith(String(fault[name]))))
    assert.isTrue(found, `${id} found ${JSON.stringify(faults, null, 1)}`)
  })
