/** The whole audit of a module: every static check, with a lock and a plugin, and every probe. */
import type { Audit } from "@ferrule/cli/Audit"
import { Effect, FileSystem } from "effect"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import * as Bench from "../src/internal/Bench.ts"
import { runAudit } from "../src/internal/runAudit.ts"
import * as Subject from "../src/internal/Subject.ts"
import * as drift from "../src/lock/drift.ts"
import * as LockFile from "../src/lock/LockFile.ts"
import * as PluginFolder from "../src/plugin/PluginFolder.ts"

export interface Reviewed {
  /** The file of the module, from here. */
  readonly file: string
  /** The files of its project by their paths; those of its plugin are in `plugin/`. */
  readonly project: Iterable<readonly [path: string, content: string | Uint8Array]>
  /** What was locked. */
  readonly approved: (subject: Subject.Subject) => Subject.Subject
}

export const reportOf = Effect.fnUntraced(function* (audit: Audit, { approved, file, project }: Reviewed) {
  const subject = Subject.ofConnector(audit.connector, audit.arguments)
  const locked = LockFile.ofSubject(approved(subject))
  const lock = {
    path: "ferrule.lock.json",
    tools: Object.keys(locked.tools).length,
    drift: yield* drift.between(locked, LockFile.ofSubject(subject))
  }
  const path = fileURLToPath(new URL(file, import.meta.url))
  const bench = yield* Bench.make(audit, { module: { path, export: undefined } })
  const { suppressions } = audit
  return yield* runAudit({ ...subject, lock, plugin: yield* written(project) }, { target: file, bench, suppressions })
}, Effect.scoped)

const written = Effect.fnUntraced(function* (project: Reviewed["project"]) {
  const files = yield* FileSystem.FileSystem
  const folder = yield* files.makeTempDirectoryScoped()
  for (const [path, content] of project) {
    const target = join(folder, path)
    yield* files.makeDirectory(dirname(target), { recursive: true })
    yield* typeof content === "string" ? files.writeFileString(target, content) : files.writeFile(target, content)
  }
  return yield* PluginFolder.read(join(folder, "plugin"), join(folder, "audit.ts"))
})
