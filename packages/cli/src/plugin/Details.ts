/**
 * What a plugin says besides its tools: who made it, under which licence, where its privacy policy is. It comes from flags and
 * from the package.json next to the module; what neither says is asked for, and nothing is made up.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { dirname, join } from "node:path"
import type { Subject } from "../internal/Subject.ts"
import { Unusable } from "../internal/Unusable.ts"
import type { Author } from "./formats.ts"
import { nameFault, tooLong } from "./names.ts"

export interface Details {
  readonly name: string
  /** The server's name within the plugin. */
  readonly server: string
  readonly displayName: string
  readonly version: string
  readonly description: string
  readonly author: Author
  /** An SPDX identifier, or `UNLICENSED`. */
  readonly license: string
  readonly licenseText: string
  readonly privacyPolicyUrl: string
  readonly supportUrl: string | undefined
  readonly documentationUrl: string | undefined
  readonly repository: string | undefined
}

/** What flags say; each wins over the package.json. */
export interface Given {
  readonly name: string | undefined
  readonly server: string | undefined
  readonly description: string | undefined
  readonly author: string | undefined
  readonly license: string | undefined
  readonly licenseFile: string | undefined
  readonly privacyPolicyUrl: string | undefined
  readonly supportUrl: string | undefined
  readonly documentationUrl: string | undefined
}

const Person = Schema.Struct({
  name: Schema.NonEmptyString,
  email: Schema.optionalKey(Schema.String),
  url: Schema.optionalKey(Schema.String)
})
const Url = Schema.Struct({ url: Schema.optionalKey(Schema.String) })
const Package = Schema.Struct({
  description: Schema.optionalKey(Schema.String),
  author: Schema.optionalKey(Schema.Union([Schema.String, Person])),
  license: Schema.optionalKey(Schema.String),
  homepage: Schema.optionalKey(Schema.String),
  repository: Schema.optionalKey(Schema.Union([Schema.String, Url])),
  bugs: Schema.optionalKey(Schema.Union([Schema.String, Url])),
  ferrule: Schema.optionalKey(
    Schema.Struct({
      privacyPolicyUrl: Schema.optionalKey(Schema.String),
      supportUrl: Schema.optionalKey(Schema.String),
      documentationUrl: Schema.optionalKey(Schema.String)
    })
  )
})
type Package = typeof Package.Type

/** Gathers the details of the plugin of a module's connector. */
export const gather = Effect.fnUntraced(function* (subject: Subject, module: string, given: Given) {
  const folder = yield* packageFolder(dirname(module))
  const known = folder === undefined ? {} : yield* readPackage(join(folder, "package.json"))
  const name = given.name ?? subject.name
  const author = given.author === undefined ? personOf(known.author) : personOf(given.author)
  const license = given.license ?? known.license
  const licenseText = yield* readLicense(given.licenseFile, folder)
  const privacyPolicyUrl = given.privacyPolicyUrl ?? known.ferrule?.privacyPolicyUrl
  const missing = [
    ...(author === undefined ? ["who makes it (--author, or author in package.json)"] : []),
    ...(license === undefined ? ["its licence (--license, or license in package.json)"] : []),
    ...(licenseText === undefined ? ["the licence's text (--license-file, or a LICENSE beside package.json)"] : []),
    ...(privacyPolicyUrl === undefined
      ? ["its privacy policy (--privacy-url, or ferrule.privacyPolicyUrl in package.json)"]
      : [])
  ]
  if (author === undefined || license === undefined || licenseText === undefined || privacyPolicyUrl === undefined) {
    return yield* new Unusable({ message: `A plugin has to say, and nothing here does: ${missing.join("; ")}.` })
  }
  const details: Details = {
    name,
    server: given.server ?? subject.name,
    displayName: subject.title ?? subject.name,
    version: subject.version,
    description: given.description ?? known.description ?? sentenceOf(subject),
    author,
    license,
    licenseText,
    privacyPolicyUrl,
    supportUrl: given.supportUrl ?? known.ferrule?.supportUrl ?? urlOf(known.bugs),
    documentationUrl: given.documentationUrl ?? known.ferrule?.documentationUrl ?? known.homepage,
    repository: urlOf(known.repository)
      ?.replace(/^git\+/, "")
      .replace(/\.git$/, "")
  }
  yield* refuse(faultsOf(details, subject))
  return details
})

const refuse = (faults: ReadonlyArray<string>) =>
  faults.length === 0 ? Effect.void : new Unusable({ message: `The plugin can't be made: ${faults.join("; ")}.` })

const faultsOf = (details: Details, { tools }: Subject): ReadonlyArray<string> => {
  const faults: Array<string> = []
  for (const [what, name, flag] of [
    ["plugin", details.name, "--name"],
    ["server", details.server, "--server"]
  ] as const) {
    const fault = nameFault(name)
    if (fault !== undefined) faults.push(`the ${what}'s name ${fault}: give another with ${flag}`)
  }
  const long = tooLong(
    details.name,
    details.server,
    tools.map(({ name }) => name)
  )
  if (long !== undefined) {
    faults.push(
      `${long} has ${long.length} characters, and clients take 64: give a shorter --name or --server, or a shorter name to the tool`
    )
  }
  if (details.description.length > 200) faults.push("the description has more than 200 characters: give --description")
  for (const [what, url] of [
    ["privacy policy", details.privacyPolicyUrl],
    ["support", details.supportUrl],
    ["documentation", details.documentationUrl]
  ] as const) {
    if (url !== undefined && !isHttps(url)) faults.push(`the address of its ${what} is no https address`)
  }
  return faults
}

/** Whether it is an https address, without a name or a password in it. */
export const isHttps = (text: string): boolean => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url?.protocol === "https:" && url.username === "" && url.password === ""
}

/** The instructions say what a connector is for before they say how to use it. */
const sentenceOf = ({ instructions, name, title, tools }: Subject): string =>
  instructions?.match(/^.{1,200}?[.!](?=\s|$)/)?.[0] ?? `${title ?? name}: ${tools.length} tools.`

const packageFolder: (folder: string) => Effect.Effect<string | undefined, never, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (folder) {
    const files = yield* FileSystem.FileSystem
    if (yield* Effect.orElseSucceed(files.exists(join(folder, "package.json")), () => false)) return folder
    return dirname(folder) === folder ? undefined : yield* packageFolder(dirname(folder))
  })

const readPackage = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  return yield* files.readFileString(path).pipe(
    Effect.flatMap((text) => Effect.try({ try: (): unknown => JSON.parse(text), catch: () => "no JSON" })),
    Effect.flatMap(Schema.decodeUnknownEffect(Package)),
    Effect.mapError(
      (cause) =>
        new Unusable({
          message: `${path} can't be read for the plugin's author, licence and addresses. Make it JSON that npm would take.`,
          cause
        })
    )
  )
})

const readLicense = Effect.fnUntraced(function* (given: string | undefined, folder: string | undefined) {
  const files = yield* FileSystem.FileSystem
  if (given !== undefined) {
    return yield* files
      .readFileString(given)
      .pipe(Effect.mapError((cause) => new Unusable({ message: `${given} can't be read: ${cause.message}`, cause })))
  }
  if (folder === undefined) return undefined
  const candidates = ["LICENSE", "LICENSE.md", "LICENSE.txt", "LICENCE"].map((name) =>
    Effect.option(files.readFileString(join(folder, name)))
  )
  return Option.getOrUndefined(Option.firstSomeOf(yield* Effect.all(candidates)))
})

/** npm's short form: `Name <mail> (address)`. */
const personOf = (author: Package["author"]): Author | undefined => {
  if (typeof author !== "string") return author
  const { email, name, url } =
    /^(?<name>[^<(]+?)\s*(?:<(?<email>[^>]+)>)?\s*(?:\((?<url>[^)]+)\))?$/.exec(author.trim())?.groups ?? {}
  if (name === undefined) return undefined
  return { name, ...(email !== undefined && { email }), ...(url !== undefined && { url }) }
}

const urlOf = (value: string | { readonly url?: string } | undefined) => {
  const url = typeof value === "string" ? value : value?.url
  return url?.replace(/^github:(?=[\w.-]+\/[\w.-]+$)/, "https://github.com/")
}
