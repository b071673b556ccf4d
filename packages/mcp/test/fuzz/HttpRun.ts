/**
 * Runs cases over HTTP against one server, many connections at a time, and looks at the server itself every so often.
 */
import { Duration, Effect, Option } from "effect"
import * as fc from "fast-check"
import type { Execution } from "./desk.ts"
import * as Findings from "./Findings.ts"
import { type HttpCase, httpCases, httpProbe, type MakeHttpCase } from "./HttpCases.ts"
import { judge } from "./HttpJudge.ts"
import { type Expected, expectedOf } from "./HttpModel.ts"
import { bytesOf } from "./HttpRequest.ts"
import { exchange } from "./HttpWire.ts"
import { fault } from "./Judge.ts"
import * as Ledger from "./Ledger.ts"
import { probe } from "./MessageCases.ts"
import { defaultPatience, judgeCondition, type Options, type Resources, surplus } from "./Run.ts"
import * as Subject from "./Subject.ts"

const connections = 12
const batch = 100

export const run = Effect.fnUntraced(function* ({
  broken,
  cases,
  checkpoint,
  giants,
  patience = defaultPatience,
  seed
}: Options) {
  const findings = Findings.make()
  const ledger = Ledger.make(findings)
  const subject = yield* Subject.start("http", broken)
  const port = yield* subject.port
  const base = (yield* subject.condition)?.resources ?? {}
  const arbitrary = httpCases(giants)

  const one = (make: MakeHttpCase, index: number) =>
    Effect.gen(function* () {
      if (subject.hasEnded()) return
      const note = `n${index}`
      const made = make(note)
      const expected = expectedOf(made)
      ledger.expect(expected.map((each, at) => ({ runs: each.runs, note: each.note, isKeyed: isKeyed(made, at) })))
      const exchanged = yield* Effect.timeoutOption(exchange(sending(port, made, expected)), patience)
      Findings.counted(findings, made.category)
      const shown = () => `${note}: ${show(made)}`
      if (Option.isNone(exchanged)) {
        Findings.blame(findings, fault("no answer in time"), shown)
        return
      }
      const verdict = judge(expected, exchanged.value)
      ledger.answered(verdict.results)
      for (const answer of verdict.answers) Findings.answered(findings, answer)
      for (const each of verdict.faults) Findings.blame(findings, each, shown)
    })

  const probed = (note: string) =>
    Effect.gen(function* () {
      const made = httpProbe(probe(note))
      const expected = expectedOf(made)
      ledger.expect([{ runs: "must", note, isKeyed: false }])
      const exchanged = yield* Effect.timeoutOption(exchange(sending(port, made, expected)), patience)
      const { faults, results } = Option.match(exchanged, {
        onNone: () => ({ faults: [fault("no answer in time")], results: [] }),
        onSome: (exchanged) => judge(expected, exchanged)
      })
      ledger.answered(results)
      for (const { kind, detail } of faults) {
        Findings.blame(findings, fault("a probe is not answered", `${kind}: ${detail}`))
      }
    })

  const checked = Effect.gen(function* () {
    const condition = yield* settled(subject, base, Math.ceil(Duration.toMillis(patience) / 500))
    if (condition === undefined) return
    findings.heaps.push(condition.heap)
    judgeCondition(findings, ledger, condition, base)
  })

  for (let start = 0; start < cases && !subject.hasEnded(); start += batch) {
    const size = Math.min(batch, cases - start)
    const made = fc.sample(arbitrary, { seed: seed + start, numRuns: size })
    yield* Effect.forEach(made, (make, index) => one(make, start + index), { concurrency: connections, discard: true })
    yield* probed(`p${start}`)
    if ((start + size) % checkpoint < batch || start + size === cases) yield* checked
  }

  for (const complaint of subject.complaints()) Findings.blame(findings, complaint)
  if (subject.hasEnded()) Findings.blame(findings, fault("the process has ended", yield* subject.exit))
  if (Findings.isGrowing(findings)) Findings.blame(findings, fault("the heap grows"))
  return findings
}, Effect.scoped)

/** Connections end a moment after their clients have gone, so what is still there is looked at again for a while. */
const settled = (subject: Subject.Subject, base: Resources, looks: number) =>
  Effect.gen(function* () {
    const executions: Array<Execution> = []
    for (let look = 0; ; look++) {
      const condition = yield* subject.condition
      if (condition === undefined) return undefined
      executions.push(...condition.executions)
      if (surplus(condition.resources, base).length === 0 || look === looks) return { ...condition, executions }
      yield* Effect.sleep("100 millis")
    }
  })

const isKeyed = ({ requests }: HttpCase, at: number): boolean => {
  const { headers, message } = requests[at]!
  return headers.some(([name]) => name === "Idempotency-Key") || message.bytes.includes("ferrule/idempotencyKey")
}

const sending = (port: number, { requests, delivery }: HttpCase, expected: ReadonlyArray<Expected>) => {
  const bytes = Buffer.concat(requests.map(bytesOf))
  const isHead = requests.map(({ method }) => method === "HEAD")
  if (delivery.kind === "cut") {
    const pieces = [bytes.subarray(0, Math.floor(bytes.length * delivery.at))]
    return { port, isHead, pieces, afterwards: delivery.halfClose ? ("half-close" as const) : ("leave" as const) }
  }
  const afterwards = expected.some(({ isIncomplete }) => isIncomplete) ? ("half-close" as const) : ("wait" as const)
  return { port, isHead, pieces: delivery.kind === "in pieces" ? split(bytes, delivery.pieces) : [bytes], afterwards }
}

const split = (bytes: Buffer, pieces: number): ReadonlyArray<Buffer> => {
  const size = Math.max(1, Math.ceil(bytes.length / pieces))
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    bytes.subarray(index * size, (index + 1) * size)
  )
}

const show = ({ requests, delivery }: HttpCase): string =>
  requests
    .map(
      (request) =>
        `[${request.changes.join(", ")}] ${JSON.stringify(bytesOf(request).toString("latin1").slice(0, 1200))}`
    )
    .join("\n    ")
    .concat(delivery.kind === "at once" ? "" : ` ${JSON.stringify(delivery)}`)
