/**
 * `ferrule audit`: checks a connector and reports.
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Argument, Command, Flag } from "effect/cli"
import * as Bench from "../internal/Bench.ts"
import { checkOutputs, deliver, type Format } from "../internal/deliver.ts"
import { type Loaded, loadModule } from "../internal/loadModule.ts"
import { runAudit } from "../internal/runAudit.ts"
import { parseTarget, parseWords, targetIs } from "../internal/target.ts"
import { readToken, tokenFlags } from "../internal/token.ts"
import * as Subject from "../internal/Subject.ts"
import * as PluginFolder from "../plugin/PluginFolder.ts"
import { Unusable } from "../internal/Unusable.ts"
import * as WireTarget from "../internal/WireTarget.ts"
import { compare, lockFile } from "./lock.ts"
import { isBlocked } from "../Report.ts"

const file = (format: Format, what: string) =>
  Flag.String(format).pipe(
    Flag.withMetavar("file"),
    Flag.withDescription(`Where to write ${what}; - is standard output`),
    Flag.optional
  )

const outputs = {
  html: file("html", "the report as a page to read, print and file"),
  json: file("json", "the report as JSON"),
  sarif: file("sarif", "the findings as SARIF 2.1.0, for code scanning"),
  junit: file("junit", "the checks as JUnit XML, for a CI server")
}

const config = {
  target: Argument.String("target").pipe(Argument.withDescription(targetIs), Argument.variadic({ min: 1 })),
  command: Flag.Boolean("command").pipe(
    Flag.withDescription("The target is a command, word by word and without quotes: --command -- npx -y some-server"),
    Flag.withDefault(false)
  ),
  export: Flag.String("export").pipe(
    Flag.withDescription("Which export it is, where the module has several"),
    Flag.optional
  ),
  probe: Flag.Boolean("probe").pipe(
    Flag.withDescription(
      "Also tries it out: a module with the layers that it gives for tests, a server with what it shows from outside"
    ),
    Flag.withDefault(false)
  ),
  locked: Flag.Boolean("locked").pipe(
    Flag.withDescription("Compare with the lock file: a tool that has changed since is a blocker"),
    Flag.withDefault(false)
  ),
  lockFile,
  plugin: Flag.String("plugin").pipe(
    Flag.withMetavar("folder"),
    Flag.withDescription("Also check the plugin that ferrule plugin made"),
    Flag.optional
  ),
  ...tokenFlags,
  write: Flag.Boolean("write").pipe(
    Flag.withDescription("Of an address or a command, try also tools that may change something, with bad arguments"),
    Flag.withDefault(false)
  ),
  outputs
}

export const audit = Command.make(
  "audit",
  config,
  Effect.fnUntraced(function* (flags) {
    const wanted = (["html", "json", "sarif", "junit"] as const).flatMap((format) =>
      Option.match(flags.outputs[format], { onNone: () => [], onSome: (path) => [{ format, path }] })
    )
    yield* checkOutputs(wanted)
    const target = yield* targetOf(flags)
    const report = yield* target._tag === "Module" ? ofModule(target.file, flags) : ofServer(target, flags)
    yield* deliver(report, wanted)
    if (isBlocked(report)) process.exitCode = 1
  })
).pipe(Command.withDescription("Checks a connector and says what a security team would find"))

const targetOf = ({ command, target: [first = "", ...rest] }: Flags) => {
  if (command) return parseWords([first, ...rest])
  return rest.length === 0
    ? parseTarget(first)
    : new Unusable({
        message: `More than one target is given. A command goes in quotes, or after the other flags as it is: --command -- ${[first, ...rest].join(" ")}`
      })
}

/** A client knows the connector by the names that the plugin gives. */
const pluginOf = Effect.fnUntraced(function* (folder: string, module: string) {
  const plugin = yield* PluginFolder.read(folder, module)
  const [name, server] = [plugin.manifest?.value?.name, plugin.servers[0]?.name]
  return {
    plugin,
    ...(name !== undefined && server !== undefined && { installedAs: { plugin: name, server } })
  }
})

type Flags = Command.Command.Config.Infer<typeof config>

const ofModule = Effect.fnUntraced(function* (module: string, flags: Flags) {
  const loaded = yield* loadModule(module, { export: Option.getOrUndefined(flags.export) })
  const subject = Subject.ofConnector(loaded.connector, loaded.audit?.arguments ?? {})
  const lock = flags.locked ? yield* compare(subject, flags.lockFile, loaded.path) : undefined
  const packed = Option.isSome(flags.plugin) ? yield* pluginOf(flags.plugin.value, loaded.path) : {}
  return yield* Effect.scoped(
    Effect.gen(function* () {
      return yield* runAudit(
        { ...subject, ...(lock !== undefined && { lock }), ...packed },
        {
          target: module,
          bench: flags.probe ? yield* benchOf(module, loaded, Option.getOrUndefined(flags.export)) : undefined,
          suppressions: loaded.audit?.suppressions ?? []
        }
      )
    })
  )
})

const ofServer = Effect.fnUntraced(function* (target: WireTarget.WireTarget["target"], flags: Flags) {
  if (flags.locked || Option.isSome(flags.plugin)) {
    return yield* new Unusable({
      message:
        "A lock file and a plugin are a module's, and a server does not show its policies. Leave --locked and --plugin out."
    })
  }
  const { subject, wire } = yield* WireTarget.make(target, { token: yield* readToken(flags), write: flags.write })
  return yield* runAudit(subject, {
    target: target._tag === "Url" ? target.url.href : target.text,
    bench: undefined,
    wire: flags.probe ? wire : undefined,
    suppressions: []
  })
})

const benchOf = (module: string, { audit, path }: Loaded, name: string | undefined) =>
  audit === undefined
    ? Effect.fail(
        new Unusable({
          message: `${module} can't be probed: it does not say with which layers. Export Audit.make(connector, { layers }) from it.`
        })
      )
    : Bench.make(audit, { module: { path, export: name } })
