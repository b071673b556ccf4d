/**
 * `ferrule lock`: writes down what a connector's tools are, so that a change is noticed, and says what changed since the
 * last time.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Argument, Command, Flag } from "effect/cli"
import { relative } from "node:path"
import { loadModule } from "../internal/loadModule.ts"
import * as Subject from "../internal/Subject.ts"
import { Unusable } from "../internal/Unusable.ts"
import * as drift from "../lock/drift.ts"
import * as LockFile from "../lock/LockFile.ts"

export const lockFile = Flag.String("lock-file").pipe(
  Flag.withMetavar("file"),
  Flag.withDescription("Where the lock file is; ferrule.lock.json beside the module unless given"),
  Flag.optional
)

export const lock = Command.make(
  "lock",
  {
    module: Argument.String("module").pipe(Argument.withDescription("The module that exports the connector")),
    export: Flag.String("export").pipe(
      Flag.withDescription("Which export it is, where the module has several"),
      Flag.optional
    ),
    lockFile,
    check: Flag.Boolean("check").pipe(
      Flag.withDescription("Write nothing, and exit with 1 where something has changed"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const loaded = yield* loadModule(flags.module, { export: Option.getOrUndefined(flags.export) })
    const now = LockFile.ofSubject(Subject.ofConnector(loaded.connector, {}))
    const path = pathOf(flags.lockFile, loaded.path)
    const before = yield* found(path, now.connector.name)
    if (before === undefined && flags.check) {
      return yield* new Unusable({ message: `There is no ${shown(path)}. Run ferrule lock and commit what it writes.` })
    }
    const changed = before === undefined ? [] : yield* drift.between(before, now)
    yield* Effect.forEach(
      changed.flatMap(({ sentences }) => sentences),
      (sentence) => Console.log(sentence)
    )
    if (!flags.check && before?.sha256 !== now.sha256) yield* LockFile.write(path, now)
    yield* Console.log(summary(path, now, before, flags.check))
    if (flags.check && changed.length > 0) process.exitCode = 1
  })
).pipe(Command.withDescription("Writes down what the tools are, and says what changed since the last time"))

const summary = (path: string, now: LockFile.Lock, before: LockFile.Lock | undefined, isCheck: boolean) => {
  const tools = `${Object.keys(now.tools).length} tools, SHA-256 ${now.sha256}`
  if (before?.sha256 === now.sha256) return `${shown(path)} is in step: ${tools}`
  if (isCheck) return `${shown(path)} is not in step. If each change is meant, run ferrule lock and commit it.`
  return `${shown(path)} is ${before === undefined ? "new" : "written anew"}: ${tools}`
}

const shown = (path: string) => relative(process.cwd(), path) || path

const pathOf = (given: Option.Option<string>, module: string) => Option.getOrElse(given, () => LockFile.pathOf(module))

const found = Effect.fnUntraced(function* (path: string, connector: string) {
  const lock = yield* LockFile.read(path)
  return lock && (yield* LockFile.ofConnector(lock, connector, path))
})

/** What the lock file says of a subject, for an audit. */
export const compare = Effect.fnUntraced(function* (
  subject: Subject.Subject,
  given: Option.Option<string>,
  module: string
) {
  const path = pathOf(given, module)
  const before = yield* found(path, subject.name)
  return {
    path: shown(path),
    tools: Object.keys(before?.tools ?? {}).length,
    drift: before && (yield* drift.between(before, LockFile.ofSubject(subject)))
  }
})
