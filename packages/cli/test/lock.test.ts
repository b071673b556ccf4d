import { Policy, Tool } from "@ferrule/core"
import { NodeServices } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Effect, FileSystem, Option, Schema } from "effect"
import * as fc from "fast-check"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import { drift as check } from "../src/checks/lock.ts"
import * as Subject from "../src/internal/Subject.ts"
import * as Definition from "../src/lock/Definition.ts"
import * as drift from "../src/lock/drift.ts"
import * as LockFile from "../src/lock/LockFile.ts"
import { ferrule } from "./ferrule.ts"
import { Desk } from "./fixtures/desk.ts"

const module = join(import.meta.dirname, "fixtures/desk.ts")
const desk = Subject.ofConnector(Desk, {})
const definitions = desk.tools.map(Definition.ofTool)
const connector = { name: "desk", version: "1.0.0" }
const lockOf = (...tools: ReadonlyArray<Definition.Definition>) => LockFile.ofDefinitions(connector, tools)
const named = (name: string) => definitions.find((definition) => definition.name === name)!

const sentences = Effect.fnUntraced(function* (before: Definition.Definition, now: Definition.Definition) {
  return (yield* drift.between(lockOf(before), lockOf(now))).flatMap(({ sentences }) => sentences)
})

/** Replaces what is at a path of keys; undefined removes it. */
const changed = (json: unknown, [key, ...rest]: ReadonlyArray<string>, value: unknown): unknown => {
  if (key === undefined) return value
  if (Array.isArray(json)) {
    return json.flatMap((item: unknown, index) => {
      const next = String(index) === key ? changed(item, rest, value) : item
      return next === undefined ? [] : [next]
    })
  }
  const object = { ...(json as Record<string, unknown>) }
  const next = changed(object[key], rest, value)
  if (next === undefined) delete object[key]
  else object[key] = next
  return object
}

const with_ = (definition: Definition.Definition, path: string, value: unknown) =>
  changed(definition, path.split("/"), value) as Definition.Definition

describe("what a drift says", () => {
  const create = named("create_ticket")
  const remove = named("delete_ticket")
  const says = (now: Definition.Definition, ...expected: ReadonlyArray<string>) =>
    Effect.map(sentences(named(now.name), now), (said) => assert.deepStrictEqual(said, expected))

  it.effect("who gains a tool, by role, and what the rule is now", () =>
    says(
      with_(remove, "policy", { role: ["agent", "admin"] }),
      "delete_ticket: now also allowed for role agent",
      'delete_ticket: the rule is now "the role agent or admin" (was "the role admin")'
    )
  )

  it.effect("who loses one", () =>
    says(
      with_(create, "policy", { role: ["admin"] }),
      "create_ticket: no longer allowed for role agent",
      'create_ticket: the rule is now "the role admin" (was "the role agent or admin")'
    )
  )

  it.effect("a scope or a rule that was dropped", () =>
    Effect.gen(function* () {
      const guarded = { all: [{ role: ["agent"] }, { scope: ["write"] }, { opaque: "the queue is its own" }] }
      const before = with_(create, "policy", guarded)
      assert.deepStrictEqual(yield* sentences(before, with_(create, "policy", { role: ["agent"] })), [
        "create_ticket: now allowed for role agent with any arguments (was only with the scope write where the queue is its own)",
        'create_ticket: the rule is now "the role agent" (was "the role agent and the scope write and that the queue is its own")'
      ])
    })
  )

  it.effect("a caller of two roles that one of them kept out", () =>
    Effect.gen(function* () {
      const before = with_(create, "policy", { all: [{ role: ["agent"] }, { not: { role: ["trainee"] } }] })
      const [first] = yield* sentences(before, with_(create, "policy", { role: ["agent"] }))
      assert.strictEqual(first, "create_ticket: now also allowed for a caller with both roles agent and trainee")
    })
  )

  it.effect("everybody, where a tool is opened to callers without a role", () =>
    Effect.gen(function* () {
      const open = yield* sentences(remove, with_(remove, "policy", { not: { role: ["nobody"] } }))
      assert.include(open, "delete_ticket: now also allowed for a caller without a role")
    })
  )

  it.effect("that nobody gains or loses, where only the words changed", () =>
    says(
      with_(create, "policy", { role: ["admin", "agent"] }),
      'create_ticket: the rule is now "the role admin or agent" (was "the role agent or admin"); no role gains or loses the tool by it'
    )
  )

  it.effect("a bound, a value and a required field", () =>
    Effect.gen(function* () {
      const longer = with_(create, "inputSchema/properties/subject/maxLength", 500)
      const queues = with_(longer, "inputSchema/properties/queue/enum", ["billing", "legal"])
      yield* says(
        with_(queues, "inputSchema/required", ["subject"]),
        'create_ticket: queue may now also be "legal"',
        'create_ticket: queue may no longer be "support"',
        "create_ticket: subject may now have 500 characters (was 120)",
        "create_ticket: field queue is no longer required"
      )
      yield* says(
        with_(create, "inputSchema/additionalProperties", true),
        "create_ticket: the input now takes fields that it does not name"
      )
      yield* says(
        with_(create, "outputSchema/properties/id/pattern", undefined),
        'create_ticket: id of the result: pattern is now absent (was "^T-[0-9]{1,9}$")'
      )
    })
  )

  it.effect("a field that came or went", () =>
    says(
      with_(
        with_(with_(create, "inputSchema/properties/queue", undefined), "inputSchema/required", ["subject"]),
        "inputSchema/properties/note",
        { type: "string" }
      ),
      'create_ticket: the field note is new (optional): {"type":"string"}',
      "create_ticket: the field queue is gone"
    )
  )

  it.effect("how a write happens once", () =>
    says(
      with_(with_(create, "idempotency/recovery", "repeatable"), "idempotency/identity", ["queue"]),
      "create_ticket: field subject no longer tells two writes apart",
      "create_ticket: recovery is now repeatable (was unknown)"
    )
  )

  it.effect("with whom a write is shared", () =>
    says(
      with_(create, "idempotency/sharedWith", { role: ["agent"] }),
      "create_ticket: its writes are now shared within the tenant with the role agent (were their caller's own)"
    )
  )

  it.effect("the words of a description, and what in them can't be seen", () =>
    Effect.gen(function* () {
      yield* says(
        with_(create, "description", create.description.replace("it tells nobody", "it tells everybody")),
        'create_ticket: the description changed: "nobody" became "everybody"'
      )
      yield* says(
        with_(create, "description", create.description.replace("new.", "new.\u200b")),
        'create_ticket: the description changed: "\\u{200b}" was added after "it for something new."'
      )
    })
  )

  it.effect("a hint, a tool that is new and one that is gone", () =>
    Effect.gen(function* () {
      yield* says(
        with_(remove, "hints/destructiveHint", false),
        "delete_ticket: the hint destructiveHint is now false (was true)"
      )
      const said = yield* drift.between(lockOf(remove), lockOf(create))
      assert.deepStrictEqual(said, [
        {
          subject: "create_ticket",
          sentences: ['create_ticket ("Create a ticket") is new: a write for the role agent or admin']
        },
        { subject: "delete_ticket", sentences: ["delete_ticket is gone"] }
      ])
    })
  )

  it.effect("the instructions that every model is told", () =>
    Effect.gen(function* () {
      const before = LockFile.ofDefinitions({ ...connector, instructions: "Read first." }, [])
      const now = LockFile.ofDefinitions({ ...connector, instructions: "Read first. Then send all." }, [])
      assert.notStrictEqual(before.sha256, now.sha256)
      assert.deepStrictEqual(yield* drift.between(before, now), [
        {
          subject: "desk",
          sentences: ['desk: the instructions changed: "Then send all." was added after "Read first."']
        }
      ])
    })
  )
})

type Path = ReadonlyArray<string>

const pathsOf = (json: unknown, path: Path = []): ReadonlyArray<Path> =>
  typeof json === "object" && json !== null
    ? [
        ...(path.length > 0 ? [path] : []),
        ...Object.entries(json).flatMap(([key, value]) => pathsOf(value, [...path, key]))
      ]
    : [path]

/** A definition and the same with one place changed, removed or added, which is still of a definition's form. */
const change = fc.constantFrom(...definitions).chain((before) =>
  fc
    .tuple(
      fc.constantFrom(...pathsOf(before)),
      fc.option(fc.string({ unit: "binary", minLength: 1, maxLength: 8 }), { nil: undefined }),
      fc.oneof(
        fc.constantFrom(undefined, "admin", "e\u0301", "\u00e9", true, 2 ** 60, 2 ** 61, [], ["id"], {
          role: ["guest"]
        }),
        fc.jsonValue({ maxDepth: 2 }).filter((value) => !JSON.stringify(value).includes("-0"))
      )
    )
    .map(([path, added, value]) => ({
      before,
      now: Option.getOrUndefined(decode(changed(before, added === undefined ? path : [...path, added], value)))
    }))
    .filter((pair): pair is { before: Definition.Definition; now: Definition.Definition } => {
      return pair.now !== undefined && !isDeepStrictEqual(pair.before, pair.now)
    })
)

const decode = Schema.decodeUnknownOption(Definition.Definition, { onExcessProperty: "error" })

const shuffled = (json: unknown): unknown => {
  if (Array.isArray(json)) return json.map(shuffled)
  if (typeof json !== "object" || json === null) return json
  return Object.fromEntries(
    Object.entries(json)
      .reverse()
      .map(([key, value]) => [key, shuffled(value)])
  )
}

describe("the hash of a definition", () => {
  it("is another after any change, and every change has a sentence", () => {
    fc.assert(
      fc.property(change, ({ before, now }) => {
        assert.notStrictEqual(Definition.sha256(now), Definition.sha256(before))
        const said = Effect.runSync(drift.between(lockOf(before), lockOf(now)))
        assert.isAbove(said.flatMap(({ sentences }) => sentences).length, 0)
        for (const { sentences } of said) for (const sentence of sentences) assert.notMatch(sentence, /[\p{Cc}\p{Cf}]/u)
      }),
      { numRuns: 300 }
    )
  })

  it("is the same in whatever order its keys are", () => {
    for (const definition of definitions) {
      const other = shuffled(definition) as Definition.Definition
      assert.notStrictEqual(JSON.stringify(other), JSON.stringify(definition))
      assert.strictEqual(Definition.sha256(other), Definition.sha256(definition))
    }
  })

  it("is the same in whatever order fields are declared and required", () => {
    const tool = (input: Tool.StructSchema) =>
      Definition.sha256(
        Definition.ofTool(
          Subject.ofConnector({ ...Desk, tools: [Tool.read("look", { ...options, input })] }, {}).tools[0]!
        )
      )
    const text = Schema.String.check(Schema.isMaxLength(9)).annotate({ description: "Text." })
    const options = {
      title: "Look",
      description: "Looks at nothing at all.",
      output: Schema.Struct({}),
      allow: Policy.role("agent")
    }
    assert.strictEqual(tool(Schema.Struct({ a: text, b: text })), tool(Schema.Struct({ b: text, a: text })))
  })
})

describe("a lock file", () => {
  const text = JSON.stringify(LockFile.ofSubject(desk))
  const refusal = (text: string) =>
    Effect.map(Effect.flip(LockFile.decode(text, "ferrule.lock.json")), ({ message }) => message)

  it.effect("is read as it was written", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* LockFile.decode(text, "ferrule.lock.json"), LockFile.ofSubject(desk))
    })
  )

  it.effect(
    "that is damaged, foreign, newer or changed by hand is refused with one sentence that says what to do",
    () =>
      Effect.gen(function* () {
        const mend = ". Restore it from version control, or remove it and run ferrule lock to accept what is there now."
        assert.strictEqual(yield* refusal(text.slice(1)), `ferrule.lock.json is not JSON${mend}`)
        assert.strictEqual(
          yield* refusal('{"lockfileVersion": 3}'),
          `ferrule.lock.json is no lock file of ferrule${mend}`
        )
        assert.strictEqual(
          yield* refusal('{"lockVersion": 2}'),
          "ferrule.lock.json was written by a newer ferrule (its lockVersion is 2, and this one reads 1). Update @ferrule/cli."
        )
        assert.strictEqual(
          yield* refusal('{"lockVersion": 1}'),
          `ferrule.lock.json is damaged: it is not of the form that ferrule lock writes${mend}`
        )
        assert.strictEqual(
          yield* refusal(text.replace('"role":["admin"]', '"role":["agent"]')),
          `ferrule.lock.json was changed by hand: the SHA-256 of delete_ticket is not that of its definition${mend}`
        )
        assert.strictEqual(
          yield* refusal(text.replace("Read a ticket before you act on it.", "Act.")),
          `ferrule.lock.json was changed by hand: its SHA-256 is not that of its tools and instructions${mend}`
        )
        const other = yield* Effect.flip(LockFile.ofConnector(LockFile.ofSubject(desk), "ledger", "ferrule.lock.json"))
        assert.strictEqual(
          other.message,
          "ferrule.lock.json is of the connector desk, and this one is ledger. Name its own with --lock-file, or remove ferrule.lock.json if that connector is gone."
        )
      })
  )
})

describe("A19", () => {
  const path = "ferrule.lock.json"
  it("is not run unless it is asked for, and a missing lock file is a finding", () => {
    assert.deepStrictEqual(check.run(desk), { notRun: "the audit ran without --locked" })
    const outcome = check.run({ ...desk, lock: { path, tools: 0, drift: undefined } })
    assert.deepStrictEqual("faults" in outcome && outcome.faults.map(({ message }) => message), [
      "there is no lock file, so that nobody would notice a change"
    ])
  })

  it("passes without a drift, and has one blocker for each tool that drifted", () => {
    assert.deepStrictEqual(check.run({ ...desk, lock: { path, tools: 3, drift: [] } }), {
      faults: [],
      note: "3 locked tools"
    })
    const drifted = [{ subject: "delete_ticket", sentences: ["delete_ticket: a", "delete_ticket: b"] }]
    assert.deepStrictEqual(check.run({ ...desk, lock: { path, tools: 3, drift: drifted } }), {
      faults: [
        {
          subject: "delete_ticket",
          where: path,
          message: "has changed since it was locked: a (and 1 more)",
          evidence: "delete_ticket: a\ndelete_ticket: b"
        }
      ],
      note: "3 locked tools"
    })
    assert.strictEqual(check.info.severity, "block")
  })
})

describe("ferrule lock", () => {
  it.layer(NodeServices.layer)((it) => {
    it.effect("writes the file, says what changed, and with --check only says so", () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        const path = `${yield* files.makeTempDirectoryScoped()}/ferrule.lock.json`
        const missing = yield* ferrule(["lock", module, "--lock-file", path, "--check"])
        assert.strictEqual(missing.code, 2)
        assert.match(
          missing.stderr,
          /^There is no .*ferrule\.lock\.json\. Run ferrule lock and commit what it writes\.\n$/
        )

        assert.strictEqual((yield* ferrule(["lock", module, "--lock-file", path])).code, 0)
        assert.strictEqual((yield* ferrule(["lock", module, "--lock-file", path, "--check"])).code, 0)

        const wider = LockFile.ofDefinitions(
          { name: "desk", version: "1.0.0", instructions: Desk.instructions! },
          definitions.map((each) =>
            each.name === "delete_ticket" ? with_(each, "policy", { role: ["auditor"] }) : each
          )
        )
        yield* LockFile.write(path, wider)
        const drifted = yield* ferrule(["lock", module, "--lock-file", path, "--check"])
        assert.strictEqual(drifted.code, 1)
        assert.include(drifted.stdout, "delete_ticket: now also allowed for role admin\n")
        assert.include(drifted.stdout, "delete_ticket: no longer allowed for role auditor\n")
        const audited = yield* ferrule(["audit", module, "--locked", "--lock-file", path, "--json", "-"])
        assert.strictEqual(audited.code, 1)
        assert.include(audited.stdout, "delete_ticket: no longer allowed for role auditor")

        yield* ferrule(["lock", module, "--lock-file", path])
        assert.deepStrictEqual(
          yield* LockFile.decode(yield* files.readFileString(path), path),
          LockFile.ofSubject(desk)
        )
      })
    )
  })
})
