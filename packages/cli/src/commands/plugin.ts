/**
 * `ferrule plugin`: packs a connector as a plugin for Claude, or as an MCP bundle.
 */
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import { Argument, Command, Flag } from "effect/cli"
import { isAbsolute, relative, resolve, sep } from "node:path"
import { loadModule } from "../internal/loadModule.ts"
import { writeFolder } from "../internal/output.ts"
import * as Subject from "../internal/Subject.ts"
import { Unusable } from "../internal/Unusable.ts"
import * as Details from "../plugin/Details.ts"
import * as folder from "../plugin/folder.ts"
import { iconFault } from "../plugin/icon.ts"
import * as mcpb from "../plugin/mcpb.ts"
import { nameFault } from "../plugin/names.ts"
import * as PluginServer from "../plugin/PluginServer.ts"
import * as serverScript from "../plugin/serverScript.ts"

const text = (name: string, metavar: string, what: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(what),
    Flag.optional,
    Flag.map(Option.getOrUndefined)
  )

const variables = (name: string, what: string) =>
  Flag.KeyValuePair(name).pipe(Flag.withDescription(what), Flag.withDefault({}))

const on = (name: string, what: string) => Flag.Boolean(name).pipe(Flag.withDescription(what), Flag.withDefault(false))

export const plugin = Command.make(
  "plugin",
  {
    module: Argument.String("module").pipe(Argument.withDescription("The module that exports the connector")),
    export: text("export", "name", "Which export it is, where the module has several"),
    url: text("url", "address", "The endpoint of the server that the plugin connects to, https"),
    stdio: text("stdio", "module", "Or the module that starts the server over stdio, which is packed as one file"),
    setting: variables("setting", 'A variable that is asked for at installation: NAME="what it is" (stdio)'),
    secret: variables("secret", 'One that is kept in the keychain: NAME="what it is"; with --url, the bearer token'),
    env: variables("env", "One that never changes: NAME=value (stdio)"),
    clientId: text("client-id", "id", "As what callers sign in, where Claude Code is registered by hand (url)"),
    callbackPort: Flag.Int("callback-port").pipe(
      Flag.withDescription("The port that it is registered with, of http://localhost:<port>/callback (url)"),
      Flag.optional,
      Flag.map(Option.getOrUndefined)
    ),
    mcpb: on("mcpb", "Make the folder of an MCP bundle instead (stdio)"),
    out: text("out", "folder", "Where to write it; <name>-plugin unless given"),
    force: on("force", "Replace the folder if it is there"),
    name: text("name", "name", "The plugin's name; the connector's unless given"),
    server: text("server", "name", "The server's name within the plugin; the connector's unless given"),
    marketplace: text("marketplace", "name", "The marketplace's name; <name>-marketplace unless given"),
    description: text("description", "text", "What it is for, in at most 200 characters"),
    author: text("author", "name", 'Who makes it: "Name <mail> (address)"'),
    license: text("license", "id", "Its licence, as an SPDX identifier"),
    licenseFile: text("license-file", "file", "The licence's text"),
    privacyPolicyUrl: text("privacy-url", "address", "Its privacy policy, https"),
    supportUrl: text("support-url", "address", "Where its users get help, https"),
    documentationUrl: text("docs-url", "address", "Its documentation, https"),
    icon: text("icon", "file", "A square PNG of 512 to 2048 pixels, under 2 MB"),
    destructive: Flag.Literals("destructive", ["ask", "blocked"]).pipe(
      Flag.withDescription("What administrators are suggested for tools that change or remove something"),
      Flag.withDefault("ask" as const)
    )
  },
  Effect.fnUntraced(function* (flags) {
    const loaded = yield* loadModule(flags.module, { export: flags.export })
    const subject = Subject.ofConnector(loaded.connector, {})
    const details = yield* Details.gather(subject, loaded.path, flags)
    const icon = flags.icon === undefined ? undefined : yield* readIcon(flags.icon)
    const server = yield* serverOf(flags)
    const marketplace = flags.marketplace ?? `${details.name}-marketplace`
    const fault = nameFault(marketplace)
    if (fault !== undefined) {
      return yield* new Unusable({ message: `The marketplace's name ${fault}. Give another with --marketplace.` })
    }
    const files = flags.mcpb
      ? yield* mcpb.files(details, subject, server, icon)
      : folder.files(details, subject, server, { marketplace, destructive: flags.destructive, icon })
    const out = flags.out ?? `${details.name}-${flags.mcpb ? "bundle" : "plugin"}`
    if ([loaded.path, process.cwd()].some((path) => holds(resolve(out), path))) {
      return yield* new Unusable({
        message: `${out} holds the connector or this folder, which --force would replace. Give a folder of the plugin's own with --out.`
      })
    }
    yield* writeFolder(resolve(out), files, flags.force)
    yield* Console.log(files.map(({ path }) => `${out}/${path}`).join("\n"))
    yield* Console.log(flags.mcpb ? packing(out) : installing(out, details.name, marketplace))
  })
).pipe(Command.withDescription("Packs a connector as a plugin for Claude"))

const holds = (folder: string, path: string): boolean => {
  const way = relative(folder, path)
  return way.split(sep)[0] !== ".." && !isAbsolute(way)
}

const packing = (out: string) => `\nMake one file of it: npx -y @anthropic-ai/mcpb@2.1.2 pack ${out}`

const installing = (out: string, name: string, marketplace: string) =>
  [
    `\nCheck it:   claude plugin validate ${out} --strict`,
    `Try it:     claude plugin marketplace add ./${out} && claude plugin install ${name}@${marketplace}`
  ].join("\n")

const serverOf = Effect.fnUntraced(function* (flags: {
  readonly url: string | undefined
  readonly stdio: string | undefined
  readonly setting: Record<string, string>
  readonly secret: Record<string, string>
  readonly env: Record<string, string>
  readonly clientId: string | undefined
  readonly callbackPort: number | undefined
}) {
  const { callbackPort, clientId, env, secret: secrets, setting: settings, stdio, url } = flags
  if (stdio !== undefined && (clientId ?? callbackPort) !== undefined) {
    return yield* new Unusable({ message: "--client-id and --callback-port are for a server at an address: --url." })
  }
  if (stdio !== undefined && url === undefined) {
    return yield* PluginServer.ofScript(yield* serverScript.bundle(resolve(stdio)), { settings, secrets, env })
  }
  if (url === undefined || stdio !== undefined) {
    return yield* new Unusable({
      message:
        "Say where the server is: --url with its https endpoint, or --stdio with the module that starts it; one of the two."
    })
  }
  if ([settings, env].some((each) => Object.keys(each).length > 0)) {
    return yield* new Unusable({ message: "--setting and --env are for a server that the plugin starts: --stdio." })
  }
  return yield* PluginServer.ofUrl(url, { secrets, clientId, callbackPort })
})

const readIcon = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const icon = yield* files
    .readFile(path)
    .pipe(Effect.mapError((cause) => new Unusable({ message: `${path} can't be read: ${cause.message}`, cause })))
  const fault = iconFault(icon)
  return fault === undefined ? icon : yield* new Unusable({ message: `The icon ${path} ${fault}.` })
})
