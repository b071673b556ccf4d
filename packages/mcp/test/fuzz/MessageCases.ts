/**
 * The grammar of messages: a valid one of either era, and up to three changes at any level of it. A case is a function of
 * the note by which its call is known, so that the same seed makes the same cases.
 */
import * as fc from "fast-check"
import { envelope } from "../testHost.ts"
import { add, change, deep, type Node, object, odd, write } from "./JsonText.ts"

export type Era = "modern" | "legacy"

export interface Message {
  readonly era: Era
  readonly method: string
  readonly name: string | undefined
  /** The message as it goes out. */
  readonly bytes: Buffer
  /** What was changed, by level. */
  readonly changes: ReadonlyArray<string>
}

export type MakeMessage = (note: string) => Message

/**
 * Stands in every value that is to be rejected, and may therefore be in no answer. No field can have it as its name, since
 * names of fields are answered.
 */
export const canary = "canary!7d1f0c"

/** What both transports take of a message unless told otherwise, in bytes. */
export const limit = 4 * 1024 * 1024

interface Base {
  readonly era: Era
  readonly method: string
  readonly name?: string
  readonly root: (note: string) => Node
}

const text = (value: unknown) => JSON.stringify(value)
const modernMeta = object(Object.fromEntries(Object.entries(envelope).map(([key, value]) => [key, text(value)])))

const request = (era: Era, method: string, fields: Readonly<Record<string, Node | undefined>>): Base["root"] => {
  const params = object({ ...fields, _meta: era === "modern" ? modernMeta : undefined })
  return (note) => object({ jsonrpc: '"2.0"', id: text(`a-${note}`), method: text(method), params })
}

const call = fc
  .record({
    era: fc.constantFrom<Era>("modern", "legacy"),
    name: fc.constantFrom("look", "look", "look", "scoped", "mine", "set", "send", "open", "charge"),
    thing: fc.constantFrom(...Array.from({ length: 20 }, (_, index) => `thing-${index}`), "ada"),
    size: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined, freq: 3 }),
    tags: fc.option(fc.constantFrom("[]", '["a"]', '["é","\\u00e9"]'), { nil: undefined, freq: 3 }),
    place: fc.option(fc.constant('{"row":3}'), { nil: undefined, freq: 3 })
  })
  .map(({ era, name, thing, size, tags, place }): Base => {
    const args = (note: string) =>
      object({ name: text(thing), note: text(note), size: size === undefined ? undefined : text(size), tags, place })
    return {
      era,
      method: "tools/call",
      name,
      root: (note) => request(era, "tools/call", { name: text(name), arguments: args(note) })(note)
    }
  })

const list = fc.constantFrom<Era>("modern", "legacy").map((era): Base => ({
  era,
  method: "tools/list",
  root: request(era, "tools/list", {})
}))

const methods = [
  ["server/discover", {}],
  ["ping", {}],
  ["initialize", { protocolVersion: '"2025-11-25"', capabilities: "{}", clientInfo: '{"name":"f","version":"1"}' }],
  ["resources/list", {}],
  ["resources/read", { uri: text(`file:///${canary}`) }],
  ["prompts/get", { name: text(canary) }],
  ["completion/complete", { ref: '{"type":"ref/prompt","name":"x"}', argument: '{"name":"a","value":"b"}' }],
  ["logging/setLevel", { level: '"debug"' }],
  ["subscriptions/listen", { toolsListChanged: "true" }],
  ["tasks/get", { taskId: text(canary) }],
  ["sampling/createMessage", { messages: "[]", maxTokens: "1" }],
  [`${canary}/method`, {}]
] as const

const rare = fc
  .record({ era: fc.constantFrom<Era>("modern", "legacy"), method: fc.constantFrom(...methods) })
  .map(({ era, method: [method, fields] }): Base => ({ era, method, root: request(era, method, fields) }))

const notification = fc
  .record({
    era: fc.constantFrom<Era>("modern", "legacy"),
    method: fc.constantFrom("notifications/initialized", "notifications/cancelled", "notifications/progress", "ping")
  })
  .map(({ era, method }): Base => {
    const root = request(era, method, { requestId: '"nobody"', progressToken: "1", progress: "1" })
    return { era, method, root: (note) => change(root(note), ["id"], () => undefined) }
  })

const answer = fc.constantFrom<Node>("{}", '{"code":1,"message":"x"}').map((value): Base => ({
  era: "legacy",
  method: "",
  root: (note) => object({ jsonrpc: '"2.0"', id: text(`a-${note}`), [value === "{}" ? "result" : "error"]: value })
}))

const base = fc.oneof(
  { weight: 16, arbitrary: call },
  { weight: 2, arbitrary: list },
  { weight: 2, arbitrary: rare },
  { weight: 1, arbitrary: notification },
  { weight: 1, arbitrary: answer }
)

type Change = readonly [level: string, apply: (node: Node) => Node]

const at = (level: string, path: ReadonlyArray<string>, mark = canary) =>
  fc
    .option(odd(mark), { nil: undefined, freq: 6 })
    .map((value): Change => [level, (node) => change(node, path, () => value)])

const member = (...names: ReadonlyArray<string>) => fc.constantFrom(...names)
const metaKeys = [...Object.keys(envelope), "io.modelcontextprotocol/logLevel", "progressToken", "traceparent"]
const args = ["params", "arguments"]
const paths = [[], ["params"], args, ["params", "_meta"], [...args, "place"]]

const levels: Readonly<Record<string, fc.Arbitrary<Change>>> = {
  envelope: fc.oneof(
    at("envelope", ["jsonrpc"]),
    at("envelope", [canary]),
    fc
      .constantFrom('"1.0"', "2", "2.0")
      .map((value): Change => ["envelope", (node) => change(node, ["jsonrpc"], () => value)]),
    fc.nat(9).map((size): Change => ["batch", (node) => `[${Array(size).fill(write(node)).join(",")}]`])
  ),
  // An id is answered as it was asked, so that what stands in it is no canary.
  id: at("id", ["id"], "odd"),
  method: fc.oneof(
    at("method", ["method"]),
    member("tools/call ", "TOOLS/CALL", "tools/call\u0000", "__proto__", "constructor", "toString", "").map(
      (method): Change => ["method", (node) => change(node, ["method"], () => text(method))]
    ),
    member("tools/call", "tools/list", "initialize", "ping", "server/discover").map((method): Change => [
      "method",
      (node) => change(node, ["method"], () => text(method))
    ])
  ),
  params: fc.oneof(at("params", ["params"]), at("params", ["params", canary])),
  tool: fc.oneof(
    at("tool", ["params", "name"]),
    member("hidden", canary, "__proto__", "constructor", "toString", "hasOwnProperty", "", "look ", "LOOK").map(
      (name): Change => ["tool", (node) => change(node, ["params", "name"], () => text(name))]
    )
  ),
  arguments: fc.oneof(
    at("arguments", args),
    // A string of any length is a name, so that what stands in it may be part of a result.
    member("name", "note").chain((name) => at("arguments", [...args, name], "odd")),
    member("size", "color", "tags", "place", canary, "__proto__", "constructor").chain((name) =>
      at("arguments", [...args, name])
    ),
    at("arguments", [...args, "place", "row"]),
    at("arguments", [...args, "place", canary])
  ),
  _meta: fc.oneof(
    at("_meta", ["params", "_meta"]),
    member(...metaKeys, canary).chain((name) => at("_meta", ["params", "_meta", name], "odd")),
    member("2025-11-25", "2026-07-29", "2026-07-28 ", "draft", "").map((version): Change => [
      "_meta",
      (node) => change(node, ["params", "_meta", "io.modelcontextprotocol/protocolVersion"], () => text(version))
    ]),
    odd("odd").map((value): Change => [
      "_meta",
      (node) => change(node, ["params", "_meta"], (meta = []) => change(meta, ["ferrule/idempotencyKey"], () => value))
    ]),
    member('"key-1"', '"key-2"', "7").map((value): Change => [
      "_meta",
      (node) => change(node, ["params", "_meta"], (meta = []) => change(meta, ["progressToken"], () => value))
    ])
  ),
  "a name twice": fc
    .record({ path: member("0", "1", "2", "3", "4"), value: odd("odd"), first: fc.boolean(), pick: fc.nat(9) })
    .map(({ path, value, first, pick }): Change => [
      "a name twice",
      (node) => {
        const names = ["jsonrpc", "id", "method", "params", "name", "arguments", "_meta", "size", "note", "row"]
        return add(node, paths[Number(path)]!, names[pick]!, value, first)
      }
    ]),
  prototype: fc
    .record({
      path: member("0", "1", "2", "3", "4"),
      name: member("__proto__", "constructor", "prototype"),
      value: odd(canary)
    })
    .map(({ path, name, value }): Change => [
      "prototype",
      (node) => add(node, paths[Number(path)]!, name, value, true)
    ]),
  nesting: fc
    .record({
      path: fc.constantFrom<ReadonlyArray<string>>(
        args,
        [...args, canary],
        [...args, "tags"],
        ["params"],
        ["params", "_meta", "deep"],
        ["id"],
        [canary]
      ),
      value: deep
    })
    .map(({ path, value }): Change => ["nesting", (node) => change(node, path, () => value)])
}

type Encode = readonly [level: string, apply: (text: string) => Buffer]

const cut = fc.double({ min: 0, max: 1, noNaN: true })

const place = (bytes: Buffer, at: number, insert: ReadonlyArray<number>, replaced = 0) => {
  const index = Math.floor(at * bytes.length)
  return Buffer.concat([bytes.subarray(0, index), Buffer.from(insert), bytes.subarray(index + replaced)])
}

const encodings: fc.Arbitrary<Encode> = fc.oneof(
  cut.map((at): Encode => ["cut off", (text) => Buffer.from(text).subarray(0, Math.floor(at * text.length))]),
  fc
    .record({
      at: cut,
      bytes: fc.constantFrom(
        [0xff],
        [0xc0, 0xaf],
        [0xed, 0xa0, 0x80],
        [0xf8, 0x88, 0x80, 0x80, 0x80],
        [0xe2, 0x82],
        [0x80]
      ),
      replaced: fc.nat(1)
    })
    .map(({ at, bytes, replaced }): Encode => ["no UTF-8", (text) => place(Buffer.from(text), at, bytes, replaced)]),
  fc
    .record({ at: cut, byte: fc.constantFrom(0, 1, 9, 11, 12, 0x1b, 0x22, 0x2c, 0x5c, 0x7b, 0x7d, 0x7f) })
    .map(({ at, byte }): Encode => ["a stray byte", (text) => place(Buffer.from(text), at, [byte])]),
  fc
    .constantFrom("\ufeff", " \t ", "\u00a0", "\u2028", "\u0000", ")]}'", "/**/", "\v", "\f")
    .map((before): Encode => ["something before", (text) => Buffer.from(before + text)]),
  fc
    .constantFrom("\u0000", " ", "\t", "garbage", "{}", ",", "//", "\u00a0", "\ufeff")
    .map((after): Encode => ["something after", (text) => Buffer.from(text + after)]),
  fc
    .constantFrom("utf16le", "base64", "hex", "latin1")
    .map((encoding): Encode => [
      "another encoding",
      (text) =>
        encoding === "utf16le" || encoding === "latin1"
          ? Buffer.from(`${text.slice(0, -1)} }`.replace("thing", "thïng"), encoding)
          : Buffer.from(Buffer.from(text).toString(encoding as "base64"))
    ]),
  fc
    .constantFrom(
      "",
      " ",
      "null",
      "1",
      '"x"',
      "true",
      "[]",
      "[[]]",
      "{}",
      "NaN",
      "'x'",
      "{a:1}",
      "[1,]",
      "undefined",
      "\u0000"
    )
    .map((all): Encode => ["another text", () => Buffer.from(all)]),
  fc.uint8Array({ maxLength: 200 }).map((bytes): Encode => [
    "random bytes",
    // A line break would make two lines of it.
    () => Buffer.from(bytes).map((byte) => (byte === 10 ? 11 : byte)) as Buffer
  ])
)

/** Blanks are part of a valid text, so that a body of exactly the limit is served and one byte more is not. */
const padded = (text: string, size: number) =>
  Buffer.from(`{${" ".repeat(Math.max(0, size - Buffer.byteLength(text)))}${text.slice(1)}`)

const sizes: fc.Arbitrary<Encode> = fc.oneof(
  fc
    .constantFrom(100_000, limit - 1, limit, limit + 1, limit + 100_000)
    .map((size): Encode => ["size", (text) => (text.startsWith("{") ? padded(text, size) : Buffer.from(text))]),
  fc
    .record({ size: fc.constantFrom(100_000, 1_000_000), escaped: fc.boolean() })
    .map(({ size, escaped }): Encode => [
      "size",
      (text) => Buffer.from(text.replace('"note":"', `$&${(escaped ? "\\u0061" : "a").repeat(size)}`))
    ])
)

const unchanged: Encode = ["", (text) => Buffer.from(text)]

const changes: fc.Arbitrary<ReadonlyArray<Change>> = fc.oneof<Array<fc.WeightedArbitrary<ReadonlyArray<Change>>>>(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 5, arbitrary: fc.array(fc.oneof(...Object.values(levels)), { minLength: 1, maxLength: 3 }) }
)

/** `giants` says how many in a thousand are of the sizes around the limit. */
export const messages = (giants: number): fc.Arbitrary<MakeMessage> =>
  fc
    .record({
      base,
      changes,
      encode: fc.oneof(
        { weight: 1000, arbitrary: fc.constant(unchanged) },
        { weight: 200, arbitrary: encodings },
        { weight: giants, arbitrary: sizes }
      )
    })
    .map(({ base: { era, method, name, root }, changes, encode: [encoding, encode] }): MakeMessage => (note) => ({
      era,
      method,
      name,
      bytes: encode(write(changes.reduce<Node>((node, [, apply]) => apply(node), root(note)))),
      changes: [...changes.map(([level]) => level), ...(encoding === "" ? [] : [encoding])]
    }))

/** A call that is good in every respect. */
export const probe = (note: string): Message => ({
  era: "modern",
  method: "tools/call",
  name: "look",
  bytes: Buffer.from(
    write(
      request("modern", "tools/call", {
        name: '"look"',
        arguments: object({ name: '"probe"', note: text(note) })
      })(note)
    )
  ),
  changes: []
})
