/**
 * Runs the checks over a subject and makes the report: static checks always, probes where there is a bench.
 */
import * as AccessMatrix from "@ferrule/core/AccessMatrix"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Suppression } from "../Audit.ts"
import { staticChecks } from "../checks/index.ts"
import * as LockFile from "../lock/LockFile.ts"
import { probes } from "../probes/index.ts"
import type { CheckResult, Finding, Report } from "../Report.ts"
import { version } from "../version.ts"
import { wireProbes } from "../wire/index.ts"
import type { Bench } from "./Bench.ts"
import { concealed } from "./conceal.ts"
import { contractOf } from "./contract.ts"
import { type BenchFault, type Fault, groups, type Info, type Outcome, type Probe } from "./Check.ts"
import { answers } from "./questions.ts"
import type { Subject } from "./Subject.ts"
import * as Suppressions from "./suppressions.ts"
import { toConfirm } from "./toConfirm.ts"
import type { WireTarget } from "./WireTarget.ts"

export interface AuditOptions {
  readonly target: string
  readonly bench: Bench | undefined
  /** The server, where only its wire is known, and it is probed. */
  readonly wire?: WireTarget | undefined
  readonly suppressions: ReadonlyArray<Suppression>
}

export const runAudit = Effect.fnUntraced(function* (subject: Subject, options: AuditOptions) {
  const { bench, suppressions, target, wire } = options
  const unreasoned = Suppressions.unreasoned(suppressions)
  if (unreasoned !== undefined) return yield* unreasoned
  const made = [
    ...staticChecks.map(({ info, run }) => resultOf(info, "static", run(subject), suppressions)),
    ...(wire === undefined
      ? yield* Effect.forEach(probes, (probe) => runProbe(probe, bench, suppressions))
      : yield* Effect.forEach(probesOf(wire), ({ info, limit, run }) =>
          probed(info, limit, subject.name, run, suppressions)
        ))
  ]
  const accepted = resultOf(Suppressions.info, "static", Suppressions.outcome(suppressions, made, subject), [])
  const checks = yield* concealed(
    [...made, accepted].sort((one, other) => (one.id < other.id ? -1 : 1)),
    [...(bench?.secrets() ?? []), ...(wire?.token === undefined ? [] : [Redacted.value(wire.token.value)])]
  )
  const locked = LockFile.ofSubject(subject)
  const report: Report = {
    ferrule: version,
    target,
    at: DateTime.formatIso(yield* DateTime.now),
    probed: bench !== undefined || wire !== undefined,
    connector: {
      name: subject.name,
      version: subject.version,
      ...(subject.title !== undefined && { title: subject.title }),
      ...(subject.instructions !== undefined && { instructions: subject.instructions })
    },
    ...(subject.connector !== undefined && { lock: locked.sha256 }),
    questions: answers(checks, subject.connector !== undefined),
    ...accessOf(subject),
    tools: subject.tools.map((tool) => contractOf(tool, locked.tools[tool.name]?.sha256, subject.connector?.rateLimit)),
    checks,
    toConfirm: toConfirm(subject)
  }
  return report
})

const runProbe = (
  { info, limit, run }: Probe,
  bench: Bench | undefined,
  suppressions: ReadonlyArray<Suppression>
): Effect.Effect<CheckResult> => {
  if (bench === undefined) {
    return Effect.succeed({ ...headOf(info, "probe"), status: "not run", findings: [], transcript: [] })
  }
  return probed(info, limit, bench.connector.name, run(bench), suppressions)
}

/** What a server shows to those who can't look into it; the rest is said to be unseen, and why. */
const probesOf = (wire: WireTarget) => [
  ...wireProbes.map(({ info, limit, run }) => ({ info, limit, run: run(wire) })),
  ...probes
    .filter(({ info }) => !wireProbes.some((probe) => probe.info.id === info.id))
    .map(({ info }) => ({ info, limit: undefined, run: Effect.succeed<Outcome>({ notSeen: unseen }) }))
]

const unseen = "Nothing outside of the server shows it: audit the module of the connector."

const probed = (
  info: Info,
  limit = 30,
  subject: string,
  run: Effect.Effect<Outcome, BenchFault, Scope.Scope>,
  suppressions: ReadonlyArray<Suppression>
): Effect.Effect<CheckResult> =>
  Effect.scoped(run).pipe(
    Effect.timeoutOrElse({
      duration: `${limit} seconds`,
      orElse: () =>
        Effect.succeed<Outcome>({
          faults: [
            {
              subject,
              message: `the probe was still running after ${limit} seconds and was cut off`,
              fix: "Find out what never answers: give the tool a timeout, and the test layers an upstream that does."
            }
          ]
        })
    }),
    Effect.catchTag("BenchFault", ({ message }) => Effect.succeed<Outcome>({ faults: [{ subject, message }] })),
    Effect.map((outcome) => resultOf(info, "probe", outcome, suppressions))
  )

const headOf = ({ id, question, severity, title, why }: Info, kind: CheckResult["kind"]) => ({
  id,
  group: groups[id[0] as keyof typeof groups],
  kind,
  severity,
  title,
  why,
  ...(question !== undefined && { question })
})

const resultOf = (
  info: Info,
  kind: CheckResult["kind"],
  outcome: Outcome,
  suppressions: ReadonlyArray<Suppression>
): CheckResult => {
  const head = headOf(info, kind)
  if ("notApplicable" in outcome) {
    return { ...head, status: "not applicable", note: outcome.notApplicable, findings: [], transcript: [] }
  }
  if ("notSeen" in outcome) return { ...head, status: "not seen", note: outcome.notSeen, findings: [], transcript: [] }
  if ("notRun" in outcome) return { ...head, status: "not run", note: outcome.notRun, findings: [], transcript: [] }
  const { faults, note, transcript = [] } = outcome
  const findings = faults.map((fault) => findingOf(info, fault, suppressions))
  const counts = findings.some(({ accepted }) => accepted === undefined)
  return {
    ...head,
    status: counts ? "failed" : "passed",
    ...(note !== undefined && { note }),
    findings,
    transcript: transcript.map((exchange) => ({ ...exchange, millis: Math.round(exchange.millis) }))
  }
}

const findingOf = (info: Info, fault: Fault, suppressions: ReadonlyArray<Suppression>): Finding => {
  const accepted = suppressions.find(
    ({ check, tool }) => check === info.id && (tool === undefined || tool === fault.subject)
  )
  return {
    check: info.id,
    severity: fault.severity ?? info.severity,
    subject: fault.subject,
    ...(fault.where !== undefined && { where: fault.where }),
    message: fault.message,
    ...(fault.evidence !== undefined && { evidence: fault.evidence }),
    fix: fault.fix ?? info.fix,
    ...(accepted !== undefined && { accepted: accepted.reason })
  }
}

const accessOf = ({ connector }: Subject): Pick<Report, "roles" | "access"> => {
  if (connector === undefined) return { roles: [], access: [] }
  const rows = AccessMatrix.make(connector)
  return {
    roles: (rows[0]?.cells ?? []).map(({ role }) => role ?? null),
    access: rows.map((row) => ({
      ...row,
      cells: row.cells.map(({ access, predicates, scopes }) => ({ access, predicates, scopes }))
    }))
  }
}
