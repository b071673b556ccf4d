/**
 * `ferrule audit`: checks a connector and reports.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { Argument, Command, Flag } from "effect/cli"
import type { Audit } from "../Audit.ts"
import * as Bench from "../internal/Bench.ts"
import { loadModule } from "../internal/loadModule.ts"
import { runAudit } from "../internal/runAudit.ts"
import * as Subject from "../internal/Subject.ts"
import { Unusable } from "../internal/Unusable.ts"
import { compare, lockFile } from "./lock.ts"
import { isBlocked } from "../Report.ts"
import { json } from "../reports/json.ts"

const file = (name: string, what: string) =>
  Flag.String(name).pipe(Flag.withMetavar("file"), Flag.withDescription(what), Flag.optional)

export const audit = Command.make(
  "audit",
  {
    module: Argument.String("module").pipe(Argument.withDescription("The module that exports the connector")),
    export: Flag.String("export").pipe(
      Flag.withDescription("Which export it is, where the module has several"),
      Flag.optional
    ),
    probe: Flag.Boolean("probe").pipe(
      Flag.withDescription(
        "Also starts the connector with the layers that its module gives for tests, and tries it out"
      ),
      Flag.withDefault(false)
    ),
    locked: Flag.Boolean("locked").pipe(
      Flag.withDescription("Compare with the lock file: a tool that has changed since is a blocker"),
      Flag.withDefault(false)
    ),
    lockFile,
    json: file("json", "Where to write the report as JSON; - is standard output")
  },
  Effect.fnUntraced(function* (flags) {
    const loaded = yield* loadModule(flags.module, { export: Option.getOrUndefined(flags.export) })
    const subject = Subject.ofConnector(loaded.connector, loaded.audit?.arguments ?? {})
    const lock = flags.locked ? yield* compare(subject, flags.lockFile, loaded.path) : undefined
    const report = yield* Effect.scoped(
      Effect.gen(function* () {
        return yield* runAudit(
          { ...subject, ...(lock !== undefined && { lock }) },
          {
            target: flags.module,
            bench: flags.probe ? yield* benchOf(flags.module, loaded.audit) : undefined,
            suppressions: loaded.audit?.suppressions ?? []
          }
        )
      })
    )
    if (Option.isSome(flags.json)) yield* write(flags.json.value, json(report))
    if (isBlocked(report)) process.exitCode = 1
  })
).pipe(Command.withDescription("Checks a connector and says what a security team would find"))

const benchOf = (module: string, audit: Audit | undefined) =>
  audit === undefined
    ? Effect.fail(
        new Unusable({
          message: `${module} can't be probed: it does not say with which layers. Export Audit.make(connector, { layers }) from it.`
        })
      )
    : Bench.make(audit)

const write = Effect.fnUntraced(function* (path: string, text: string) {
  if (path === "-") return yield* Console.log(text)
  const files = yield* FileSystem.FileSystem
  yield* files
    .writeFileString(path, text)
    .pipe(Effect.mapError((cause) => new Unusable({ message: `${path} can't be written: ${cause.message}`, cause })))
})
