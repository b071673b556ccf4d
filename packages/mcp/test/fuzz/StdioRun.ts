/**
 * Runs cases over stdio against one process after another: a new one where a line too long has ended the connection, as it
 * is to. The last bytes of each are half a line, and the end of the input is to end it.
 */
import { Effect, Option, type Scope } from "effect"
import * as fc from "fast-check"
import * as Findings from "./Findings.ts"
import { fault, judgeText, noteOf, readMessage } from "./Judge.ts"
import * as Ledger from "./Ledger.ts"
import { canary, probe } from "./MessageCases.ts"
import { defaultPatience, judgeCondition, type Options } from "./Run.ts"
import { type StdioBatch, stdioBatches } from "./StdioCases.ts"
import { type Expected, expectationOf, keyOf } from "./StdioModel.ts"
import * as Subject from "./Subject.ts"

const isOptional = ({ isOptional }: Expected): boolean => isOptional

const isSubscription = ({ asked }: Expected): boolean =>
  asked?.kind === "request" && asked.method === "subscriptions/listen"

export const run = Effect.fnUntraced(function* (options: Options) {
  const findings = Findings.make()
  let index = 0
  while (findings.cases < options.cases && findings.faults.get("the process has ended") === undefined) {
    yield* Effect.scoped(
      Effect.gen(function* () {
        // What one process has written, the next knows nothing of.
        const ledger = Ledger.make(findings)
        const connection = yield* connect(findings, ledger, options)
        const { subject } = connection
        const base = (yield* subject.condition)?.resources ?? {}
        let next = findings.cases + options.checkpoint
        let ends = false
        while (!ends && findings.cases < options.cases && !subject.hasEnded()) {
          // Lines too long come late and are many there, since each ends a process, and a heap is compared with itself.
          const isLate = findings.cases >= options.cases * 0.9
          const [batch] = fc.sample(stdioBatches(isLate ? options.giants * 10 : 0), {
            seed: options.seed + index,
            numRuns: 1
          })
          ends = yield* connection.exchange(batch!, `n${index++}`)
          if (ends || subject.hasEnded()) break
          if (findings.cases < next) continue
          next += options.checkpoint
          const condition = yield* subject.condition
          if (condition === undefined) break
          if (!isLate) findings.heaps.push(condition.heap)
          judgeCondition(findings, ledger, condition, base)
        }
        if (!ends && !subject.hasEnded()) {
          const condition = yield* subject.condition
          ledger.collect(condition?.executions ?? [])
        }
        yield* connection.end(ends)
      })
    )
  }
  if (Findings.isGrowing(findings)) Findings.blame(findings, fault("the heap grows"))
  return findings
})

interface Connection {
  readonly subject: Subject.Subject
  /** Sends a batch and a probe, and waits for what they must be answered with. Says whether it has ended the connection. */
  readonly exchange: (batch: StdioBatch, note: string) => Effect.Effect<boolean>
  readonly end: (ended: boolean) => Effect.Effect<void>
}

const connect = (
  findings: Findings.Findings,
  ledger: Ledger.Ledger,
  { broken, patience = defaultPatience }: Options
): Effect.Effect<Connection, never, Scope.Scope> =>
  Effect.gen(function* () {
    const subject = yield* Subject.start("stdio", broken)
    let open: Array<Expected> = []
    let asked: ReadonlyArray<string> = []
    let shown = ""
    let done: (() => void) | undefined
    let subscriptions = 0

    const blame = (kind: string, detail: string) => Findings.blame(findings, fault(kind, detail), () => shown)

    const receive = (line: Buffer): void => {
      for (const each of judgeText(line)) blame(each.kind, each.detail)
      const text = line.toString("utf8")
      const read = readMessage(text)
      if ("wrong" in read) return blame(`unclassified: ${read.wrong}`, text)
      if ("notification" in read) {
        const isAnswer = read.notification === "notifications/subscriptions/acknowledged"
        // It stands for the answer that a subscription gets at its end.
        if (isAnswer) subscriptions++
        return settled()
      }
      const { answer, id, result } = read
      const key = id === null ? answer.replace("error ", "") : keyOf(id)
      const required = open.findIndex((expected) => expected.key === key && !isOptional(expected))
      const at = required === -1 ? open.findIndex((expected) => expected.key === key) : required
      const expected = open[at]
      if (expected === undefined) return blame("an answer to nothing", text)
      open.splice(at, 1)
      Findings.answered(findings, answer)
      const call = expected.asked?.kind === "request" ? expected.asked.call : undefined
      const note = noteOf(result)
      if (answer === "result" && typeof note === "string") {
        ledger.answered([{ note, replayed: text.includes("ferrule/replayed") }])
      }
      // Two answers to the same id can't be told apart.
      if (asked.filter((each) => each === key).length === 1 && call?.runs === "must" && note !== call.note)
        blame("a valid read has no result", text)
      settled()
    }

    const settled = () => {
      const waiting = open.filter((expected) => !isOptional(expected))
      if (waiting.some((expected) => !isSubscription(expected)) || waiting.length > subscriptions) return
      subscriptions = 0
      open = []
      done?.()
    }

    const missing = () =>
      open
        .filter((expected) => !isOptional(expected))
        .map(({ key, line }) => `${key} to ${line}`)
        .join("\n    ")

    let rest: Buffer = Buffer.alloc(0)
    subject.stdout.on("data", (chunk: Buffer) => {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk])
      for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
        const line = rest.subarray(0, end)
        rest = rest.subarray(end + 1)
        receive(line)
      }
    })

    const answered = Effect.callback<void>((resume) => {
      done = () => resume(Effect.void)
      settled()
    })

    const exchange: Connection["exchange"] = (batch, note) =>
      Effect.gen(function* () {
        const lines = batch.lines.map((make, at) => make(`${note}.${at}`))
        const bytes = Buffer.concat([
          ...lines.map(({ bytes }) => bytes),
          probe(`${note}.probe`).bytes,
          Buffer.from("\n")
        ])
        const expectation = expectationOf(bytes)
        open = [...expectation.answers]
        asked = open.map(({ key }) => key)
        shown = `${note}: ${JSON.stringify(bytes.toString("latin1").slice(0, 3000))}`
        ledger.expect(
          open.flatMap(({ asked, isKeyed }) =>
            asked?.kind === "request" ? [{ runs: asked.call.runs, note: asked.call.note, isKeyed }] : []
          )
        )
        for (const { category } of lines) Findings.counted(findings, category)
        yield* send(subject, bytes, batch.pieces)
        const waited = yield* Effect.timeoutOption(Effect.raceFirst(answered, subject.exit), patience)
        if (Option.isNone(waited)) {
          blame("no answer in time", missing())
          open = []
        }
        return expectation.ends
      })

    const end: Connection["end"] = (ended) =>
      Effect.gen(function* () {
        // Half a line asks for nothing.
        if (!ended && !subject.hasEnded()) subject.stdin.end(`{"jsonrpc":"2.0","id":"${canary}`)
        const exit = yield* Effect.timeoutOption(subject.exit, patience)
        if (Option.isNone(exit))
          blame("the process does not end", ended ? "after a line too long" : "at the end of its input")
        else if (exit.value !== "0") blame("the process has ended", exit.value)
        if (!open.every(isOptional)) blame("no answer", missing())
        if (rest.length > 0) blame("half an answer", rest.toString("latin1"))
        for (const complaint of subject.complaints()) Findings.blame(findings, complaint, () => shown)
      })

    return { subject, exchange, end }
  })

/** Writes the bytes in pieces, each in a turn of the event loop of its own. */
const send = ({ stdin }: Subject.Subject, bytes: Buffer, cuts: ReadonlyArray<number>): Effect.Effect<void> => {
  const ends = [...cuts.map((cut) => Math.floor(cut * bytes.length)), bytes.length].sort((a, b) => a - b)
  let start = 0
  return Effect.forEach(
    ends,
    (end) =>
      Effect.callback<void>((resume) => {
        const piece = bytes.subarray(start, end)
        start = end
        if (!stdin.writable) return resume(Effect.void)
        stdin.write(piece, () => setImmediate(() => resume(Effect.void)))
      }),
    { discard: true }
  )
}
