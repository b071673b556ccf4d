/**
 * The plugins of two examples, in the programs that load them: Claude Code installs each from its marketplace and connects to
 * its server, and clients that know nothing of Ferrule call the server that its `.mcp.json` declares.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { randomBytes } from "node:crypto"
import { join } from "node:path"
import { environmentAt, run } from "./claude.ts"
import { type Answer, type Call, contents, declared, declaredByBundle, replayed, told } from "./plugins/callers.ts"
import { answerAgain, install, packed, stateOf, temporary } from "./plugins/installed.ts"
import * as publicNames from "./plugins/publicNames.ts"
import { started } from "./plugins/started.ts"

const quickstart = join(import.meta.dirname, "../../../examples/quickstart")
const serviceDesk = join(import.meta.dirname, "../../../examples/service-desk")

const mcpb = join(import.meta.dirname, "../node_modules/@anthropic-ai/mcpb/dist/cli/cli.js")

const secret = () => randomBytes(24).toString("base64url")

/** What an agent of the desk answers at the installation. Nothing here writes to customers, so there is no messenger. */
const ana = {
  DESK_USER: "ana",
  DESK_ROLE: "agent",
  MESSENGER_URL: "http://127.0.0.1:4010",
  MESSENGER_TOKEN: secret()
}

const login: ReadonlyArray<Call> = [
  {
    name: "create_ticket",
    arguments: {
      queue: "support",
      subject: "Can't sign in",
      body: "My password is refused.",
      requester: "kim@acme.example"
    }
  },
  { name: "search_tickets", arguments: { text: "sign in" } }
]

/** However many clients open the ticket, and in whichever era: it is opened once, and that is the one that each finds. */
const assertOpenedOnce = (answers: ReadonlyArray<Answer>) => {
  const agent = ["search_tickets", "read_ticket", "list_pages", "create_ticket", "reply_to_ticket"]
  for (const { tools } of answers) assert.deepStrictEqual(tools, [...agent, "reassign_ticket", "page_on_call"])
  for (const [opened, found] of contents(answers)) {
    assert.strictEqual(opened?.["id"], "T-1001")
    const tickets = found?.["tickets"] as ReadonlyArray<{ readonly id: string }>
    assert.deepStrictEqual(
      tickets.map(({ id }) => id),
      ["T-1001"]
    )
  }
  assert.deepStrictEqual(replayed(answers), [false, true, true, true])
}

describe("a plugin that runs its server", () => {
  it.live("of the quickstart is one that Claude Code connects to, and that each client reads and writes with", () =>
    Effect.gen(function* () {
      const folder = yield* packed("notes", join(quickstart, "connector.ts"), { stdio: join(quickstart, "main.ts") })
      const names = yield* publicNames.serve({})
      const env = { ...environmentAt(yield* temporary), ...names.environment }
      yield* install(env, folder)
      assert.strictEqual(yield* stateOf(env, folder), "✔ Connected")

      const note = { topic: "deploys", text: "Fridays are frozen." }
      const calls = [
        { name: "read_notes", arguments: { topic: note.topic } },
        { name: "add_note", arguments: note }
      ]
      const answers = yield* told(declared(folder, yield* temporary, {}), calls, env)
      for (const { tools } of answers) assert.deepStrictEqual(tools, ["read_notes", "add_note"])
      // Its notes are kept in memory, and each client starts a process.
      for (const results of contents(answers)) assert.deepStrictEqual(results, [{ notes: [] }, { count: 1 }])
      assert.deepStrictEqual([...names.asked], [])
    })
  )

  it.live("of the service desk is started with what its user answers, and opens a ticket once for all clients", () =>
    Effect.gen(function* () {
      const folder = yield* packed("service-desk", join(serviceDesk, "connector.ts"), {
        stdio: join(serviceDesk, "stdio.ts"),
        env: "DESK_DATA=${CLAUDE_PLUGIN_DATA}",
        setting: ["DESK_USER=Your name", "DESK_ROLE=Your role", "MESSENGER_URL=The messenger"],
        secret: "MESSENGER_TOKEN=Its token"
      })
      const env = environmentAt(yield* temporary)
      yield* install(env, folder, ana)
      assert.strictEqual(yield* stateOf(env, folder), "✔ Connected")
      assertOpenedOnce(yield* told(declared(folder, yield* temporary, ana), login, env))

      yield* answerAgain(env, folder, { DESK_ROLE: "owner" })
      assert.match(yield* stateOf(env, folder), /^✘ Failed to connect/)
    })
  )

  it.live(
    "is a bundle, too, which the official tool validates, packs and unpacks, and each client is served from",
    () =>
      Effect.gen(function* () {
        const data = yield* temporary
        const env = environmentAt(data)
        const bundle = yield* packed("service-desk", join(serviceDesk, "connector.ts"), {
          mcpb: "true",
          stdio: join(serviceDesk, "stdio.ts"),
          setting: [
            "DESK_DATA=Its folder",
            "DESK_USER=Your name",
            "DESK_ROLE=Your role",
            "MESSENGER_URL=The messenger"
          ],
          secret: "MESSENGER_TOKEN=Its token"
        })
        const unpacked = join(data, "unpacked")
        const steps = [
          ["validate", join(bundle, "manifest.json")],
          ["pack", bundle, join(data, "service-desk.mcpb")],
          ["unpack", join(data, "service-desk.mcpb"), unpacked]
        ]
        for (const step of steps) {
          const { code, errors, output } = yield* run(process.execPath, [mcpb, ...step], env)
          assert.strictEqual(code, 0, output + errors)
        }
        const answers = { ...ana, DESK_DATA: data }
        assertOpenedOnce(yield* told(declaredByBundle(unpacked, data, answers), login, env))
      })
  )
})

describe("a plugin for a server at an address", () => {
  it.live("of the service desk sends the token that its user answers, and nothing to anywhere else", () =>
    Effect.gen(function* () {
      const [viewer, agent, admin] = [secret(), secret(), secret()]
      const data = yield* temporary
      const port = yield* started(join(serviceDesk, "http.ts"), {
        ...environmentAt(data),
        DESK_DATA: data,
        DESK_PORT: "0",
        DESK_VIEWER_TOKEN: viewer,
        DESK_AGENT_TOKEN: agent,
        DESK_ADMIN_TOKEN: admin,
        MESSENGER_URL: "http://127.0.0.1:4010",
        MESSENGER_TOKEN: secret()
      })
      const names = yield* publicNames.serve({ "desk.acme.example": port })
      const folder = yield* packed("service-desk", join(serviceDesk, "connector.ts"), {
        url: "https://desk.acme.example/mcp",
        secret: "DESK_TOKEN=Your token for the desk"
      })
      const env = { ...environmentAt(yield* temporary), ...names.environment }
      yield* install(env, folder, { DESK_TOKEN: agent })
      assert.strictEqual(yield* stateOf(env, folder), "✔ Connected")
      assertOpenedOnce(yield* told(declared(folder, yield* temporary, { DESK_TOKEN: agent }), login, env))

      yield* answerAgain(env, folder, { DESK_TOKEN: "a-token-of-nobody" })
      assert.match(yield* stateOf(env, folder), /^✘ Failed to connect — .*HTTP 401/)
      assert.deepStrictEqual([...names.asked], ["desk.acme.example:443"])
    })
  )
})
