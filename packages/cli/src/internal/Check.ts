/**
 * A check: what it is called, why it matters, and how it finds out.
 *
 * A static check reads definitions. A probe runs the connector. Both give an outcome; the audit makes the report's entry
 * of it, so that no check knows of reports, and none can forget to say why it matters.
 */
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Exchange, Question, Severity } from "../Report.ts"
import type { Bench } from "./Bench.ts"
import type { Subject } from "./Subject.ts"
import type { WireTarget } from "./WireTarget.ts"

/** `id` is the letter of its group and two digits; ids are never used again for something else. */
export interface Info {
  readonly id: `${Group}${number}`
  readonly title: string
  /** What goes wrong without it, in one or two sentences. */
  readonly why: string
  /** What to do about a finding that does not say it better itself. */
  readonly fix: string
  readonly severity: Severity
  /** The one of the four questions that it bears on. */
  readonly question?: Question["id"]
}

export type Group = keyof typeof groups

export const groups = {
  A: "Tool definitions",
  B: "Plugin and supply chain",
  C: "Authentication and authorization",
  D: "Secrecy of credentials",
  E: "Errors",
  F: "Writes",
  G: "Output and data",
  H: "Transport and operation"
} as const

/** A fault. `severity` and `fix` are the check's own unless given. */
export interface Fault {
  readonly subject: string
  readonly message: string
  readonly where?: string
  readonly evidence?: string
  readonly fix?: string
  readonly severity?: Severity
}

/**
 * What a check found out. Without faults it has passed; `note` says what it went through. `notSeen` says why it could not
 * be judged, `notApplicable` why there is nothing to judge, `notRun` what the audit has to be asked with.
 */
export type Outcome =
  | { readonly faults: ReadonlyArray<Fault>; readonly note?: string; readonly transcript?: ReadonlyArray<Exchange> }
  | { readonly notApplicable: string }
  | { readonly notSeen: string }
  | { readonly notRun: string }

export interface StaticCheck {
  readonly info: Info
  readonly run: (subject: Subject) => Outcome
}

export interface Probe {
  readonly info: Info
  /** A probe that takes longer than its limit is cut off and reported as a fault. 30 seconds unless given. */
  readonly limit?: number
  readonly run: (bench: Bench) => Effect.Effect<Outcome, BenchFault, Scope.Scope>
}

/** A probe from outside, of a server that only its wire is known of. */
export interface WireProbe {
  readonly info: Info
  readonly limit?: number
  readonly run: (wire: WireTarget) => Effect.Effect<Outcome, BenchFault, Scope.Scope>
}

/** The connector could not be started for a probe, or the client could not speak to it. The message is a sentence. */
export class BenchFault extends Schema.TaggedError<BenchFault>("@ferrule/cli/BenchFault")("BenchFault", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Unknown)
}) {}
