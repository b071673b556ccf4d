/**
 * Audits every example as its users would, with all probes and against its lock file, and says in a line for each what came
 * of it. `pnpm audit:examples` runs it; it exits with 1 where one is blocked or could not be audited.
 */
import { Report } from "@ferrule/cli"
import { Console, Effect, Schema } from "effect"
import { execFile } from "node:child_process"
import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"

const ferrule = join(import.meta.dirname, "../packages/cli/src/main.ts")

const examples = readdirSync(import.meta.dirname).filter((name) =>
  existsSync(join(import.meta.dirname, name, "connector.ts"))
)

interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs the command to its end. */
const run = (module: string) =>
  Effect.callback<Ran>((resume) => {
    const args = [ferrule, "audit", module, "--probe", "--locked", "--json", "-"]
    const child = execFile(process.execPath, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resume(
        Effect.succeed({ code: typeof error?.code === "number" ? error.code : error === null ? 0 : 2, stdout, stderr })
      )
    )
    return Effect.sync(() => child.kill())
  })

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Report.Report))

const audit = Effect.fnUntraced(function* (name: string) {
  const { code, stdout, stderr } = yield* run(join(import.meta.dirname, name, "connector.ts"))
  if (code === 2) {
    yield* Console.log(`${name}: could not be audited. ${stderr.trim()}`)
    return code
  }
  const report = yield* decode(stdout)
  const answers = report.questions.map(({ answer, id }) => `${id}: ${answer}`).join(", ")
  const findings = Report.findingsOf(report)
  yield* Console.log(
    `${name}: ${answers}; ${["nothing found", "1 finding"][findings.length] ?? `${findings.length} findings`}`
  )
  yield* Effect.forEach(findings, ({ check, message, severity, subject }) =>
    Console.log(`  ${severity} ${check} ${subject}: ${message}`)
  )
  return code
})

const codes = await Effect.runPromise(Effect.forEach(examples, audit, { concurrency: 2 }))
if (codes.some((code) => code !== 0)) process.exitCode = 1
