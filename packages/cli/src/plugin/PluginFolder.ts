/**
 * A plugin's folder, read once into data: every file's size, the text of those that are text, and the documents that Claude
 * reads, each with what is wrong with its form. No fault repeats a value.
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import * as SchemaParser from "effect/SchemaParser"
import { join, relative, sep } from "node:path"
import { parse as parseYaml } from "yaml"
import { Unusable } from "../internal/Unusable.ts"
import * as formats from "./formats.ts"
import { type Package, readPackages } from "./packages.ts"

export interface PluginFile {
  /** Within the folder, with slashes. */
  readonly path: string
  readonly size: number
  /** Undefined for a file that is no text, or too large to be read. */
  readonly text: string | undefined
  /** Whether it is a link, which may lead out of the folder. */
  readonly isLink: boolean
}

/** What is wrong with the form of a document: where in it, and what. */
export interface FormFault {
  readonly at: string
  readonly what: string
}

/** A document. `raw` is what was parsed, an empty object where nothing could be; `value` is there if it has the right form. */
export interface Document<A> {
  readonly path: string
  readonly raw: Readonly<Record<string, unknown>>
  readonly value: A | undefined
  readonly faults: ReadonlyArray<FormFault>
}

/** A server as some document declares it, which may have any form. */
export interface DeclaredServer {
  readonly path: string
  readonly name: string
  readonly raw: Readonly<Record<string, unknown>>
}

export interface PluginFolder {
  /** As it was given. */
  readonly folder: string
  readonly files: ReadonlyArray<PluginFile>
  readonly manifest: Document<formats.Manifest> | undefined
  readonly marketplace: Document<formats.Marketplace> | undefined
  readonly mcp: ReadonlyArray<Document<unknown>>
  readonly servers: ReadonlyArray<DeclaredServer>
  readonly managed: ReadonlyArray<Document<formats.ManagedSettings>>
  readonly skills: ReadonlyArray<Document<formats.SkillFrontMatter>>
  /** What is installed for it, as far as its package files and those near the module say. */
  readonly packages: ReadonlyArray<Package>
}

const largestText = 8 * 1024 * 1024

/** Reads a plugin's folder, and the package files near the module of its connector. */
export const read = Effect.fnUntraced(function* (folder: string, module: string) {
  const files = yield* readFiles(folder)
  const byPath = new Map(files.map((file) => [file.path, file]))
  const document = <A>(path: string, schema: Schema.Codec<A, unknown>) => {
    const text = byPath.get(path)?.text
    return text === undefined ? undefined : decoded(path, jsonOf(text), schema)
  }
  const manifest = document(".claude-plugin/plugin.json", formats.Manifest)
  const marketplace = document(".claude-plugin/marketplace.json", formats.Marketplace)
  const mcpPaths = [".mcp.json", ...pathsIn(manifest?.raw["mcpServers"])]
  const mcp = mcpPaths.flatMap((path) => document(path, formats.McpConfig) ?? [])
  if (manifest === undefined && marketplace === undefined && mcp.length === 0) {
    return yield* new Unusable({
      message: `${folder} is no plugin: it has no .claude-plugin/plugin.json and no .mcp.json. Give the folder that ferrule plugin made.`
    })
  }
  const inline = recordOf(manifest?.raw["mcpServers"])
  const plugin: PluginFolder = {
    folder,
    files,
    manifest,
    marketplace,
    mcp,
    servers: [
      ...mcp.flatMap(({ path, raw }) => serversOf(path, recordOf(raw["mcpServers"]))),
      ...serversOf(".claude-plugin/plugin.json", inline)
    ],
    managed: files.flatMap(({ path, text }) =>
      path.endsWith(".json") && text !== undefined && text.includes('"managedMcpServers"')
        ? [decoded(path, jsonOf(text), formats.ManagedSettings)]
        : []
    ),
    skills: files.flatMap(({ path, text }) =>
      path.endsWith("/SKILL.md") && text !== undefined
        ? [decoded(path, frontMatterOf(text), formats.SkillFrontMatter)]
        : []
    ),
    packages: yield* readPackages(folder, module)
  }
  return plugin
})

const readFiles = Effect.fnUntraced(
  function* (folder: string) {
    const files = yield* FileSystem.FileSystem
    const found = yield* files.readDirectory(folder, { recursive: true })
    const entries = yield* Effect.forEach(
      found.sort(),
      Effect.fnUntraced(function* (name) {
        const path = join(folder, name)
        const isLink = Option.isSome(yield* Effect.option(files.readLink(path)))
        const { size, type } = yield* files.lstat(path)
        if (type !== "File" && !isLink) return []
        const bytes = isLink || Number(size) > largestText ? undefined : yield* files.readFile(path)
        const file: PluginFile = {
          path: relative(folder, path).split(sep).join("/"),
          size: Number(size),
          text: bytes && textOf(bytes),
          isLink
        }
        return [file]
      }),
      { concurrency: 8 }
    )
    return entries.flat()
  },
  (effect, folder) =>
    Effect.mapError(
      effect,
      (cause) =>
        new Unusable({
          message: `The plugin ${folder} can't be read. Give the folder that ferrule plugin made.`,
          cause
        })
    )
)

const textOf = (bytes: Uint8Array): string | undefined =>
  Option.getOrUndefined(
    Option.liftThrowable((bytes: Uint8Array) => new TextDecoder("utf-8", { fatal: true }).decode(bytes))(bytes)
  )?.replace(/^\uFEFF/, "")

type Parsed = { readonly raw: unknown } | { readonly fault: string }

const jsonOf = (text: string): Parsed =>
  Option.match(Option.liftThrowable((text: string): unknown => JSON.parse(text))(text), {
    onNone: () => ({ fault: "is not JSON" }),
    onSome: (raw) => ({ raw })
  })

const frontMatterOf = (text: string): Parsed => {
  const yaml = /^---\r?\n(?<yaml>[\s\S]*?)\r?\n---\s*(?:\n|$)/.exec(text)?.groups?.["yaml"]
  if (yaml === undefined) return { fault: "has no front matter between two lines of ---" }
  return Option.match(Option.liftThrowable((yaml: string): unknown => parseYaml(yaml))(yaml), {
    onNone: () => ({ fault: "has front matter that is not YAML" }),
    onSome: (raw) => ({ raw: raw ?? {} })
  })
}

const decoded = <A>(path: string, parsed: Parsed, schema: Schema.Codec<A, unknown>): Document<A> => {
  if ("fault" in parsed) return { path, raw: {}, value: undefined, faults: [{ at: "", what: parsed.fault }] }
  const exit = SchemaParser.decodeUnknownExit(schema)(parsed.raw, { errors: "all", onExcessProperty: "error" })
  const raw = recordOf(parsed.raw) ?? {}
  if (Exit.isSuccess(exit)) return { path, raw, value: exit.value, faults: [] }
  const issue = Exit.findErrorOption(exit)
  return { path, raw, value: undefined, faults: Option.match(issue, { onNone: () => [], onSome: faultsOf }) }
}

const faultsOf = (issue: SchemaIssue.Issue): ReadonlyArray<FormFault> =>
  formatter(issue).issues.map(({ message, path }) => ({
    at: (path ?? []).map((part) => String(typeof part === "object" ? part.key : part)).join("."),
    what: message
  }))

const formatter = SchemaIssue.makeFormatterStandardSchemaV1({
  // The built-in words repeat the value.
  leafHook: (issue) =>
    issue._tag === "UnexpectedKey"
      ? "is a key that Claude does not read"
      : issue._tag === "MissingKey"
        ? "is missing"
        : "is not of the form that Claude reads",
  checkHook: () => "is not of the form that Claude reads"
})

/** Gives the members of what is an object, and undefined for anything else. */
export const recordOf = (value: unknown): Readonly<Record<string, unknown>> | undefined =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined

/** Gives the texts among the members of what should be a record of texts. */
export const textsOf = (value: unknown): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(recordOf(value) ?? {}).flatMap(([key, text]) => (typeof text === "string" ? [[key, text]] : []))
  )

/** Gives the texts of what should be a list of texts. */
export const listOf = (value: unknown): ReadonlyArray<string> =>
  Array.isArray(value) ? value.filter((item) => typeof item === "string") : []

const pathsIn = (value: unknown): ReadonlyArray<string> =>
  (typeof value === "string" ? [value] : listOf(value))
    .map((path) => path.replace(/^\.\//, ""))
    .filter((path) => path !== ".mcp.json")

const serversOf = (
  path: string,
  servers: Readonly<Record<string, unknown>> | undefined
): ReadonlyArray<DeclaredServer> =>
  Object.entries(servers ?? {}).flatMap(([name, server]) => {
    const raw = recordOf(server)
    return raw === undefined ? [] : [{ path, name, raw }]
  })
