import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as PluginServer from "../src/plugin/PluginServer.ts"

const url = "https://desk.acme.example/mcp"
const serverOf = (server: PluginServer.PluginServer) => PluginServer.mcpConfig("desk", server).mcpServers["desk"]
const message = (server: ReturnType<typeof PluginServer.ofUrl>) => Effect.map(Effect.flip(server), (it) => it.message)

describe("a server at an address", () => {
  it.effect("that is local, in clear, or holds a secret is refused with a sentence that does not repeat it", () =>
    Effect.gen(function* () {
      const local =
        "The address of --url is this machine's, which nobody else can reach. Give the public one, or make a plugin with --stdio."
      for (const url of [
        "http://127.0.0.1:3000/mcp",
        "http://localhost/mcp",
        "https://[::1]/mcp",
        "https://a.localhost"
      ]) {
        assert.strictEqual(yield* message(PluginServer.ofUrl(url)), local)
      }
      const clear =
        "The address of --url must be https, without a user or a password, so that tokens are not sent in clear."
      assert.strictEqual(yield* message(PluginServer.ofUrl("http://desk.example/mcp")), clear)
      assert.strictEqual(yield* message(PluginServer.ofUrl("https://ana:hunter22@desk.example/mcp")), clear)
      assert.strictEqual(
        yield* message(PluginServer.ofUrl("https://desk.example/mcp?token=hunter22")),
        "The address of --url has a query or a fragment. Give the bare endpoint: a plugin holds no token, and callers sign in at the server."
      )
      assert.match(yield* message(PluginServer.ofUrl("desk")), /is no address/)
    })
  )

  it.effect("says by itself where its callers sign in, unless the plugin is told more", () =>
    Effect.gen(function* () {
      const server = yield* PluginServer.ofUrl(url)
      assert.deepStrictEqual(serverOf(server), { type: "http", url })
      assert.deepStrictEqual(server.userConfig, {})
    })
  )

  it.effect("that knows its callers by tokens is sent the one that each is asked for, and none is packed", () =>
    Effect.gen(function* () {
      const server = yield* PluginServer.ofUrl(url, { secrets: { DESK_TOKEN: "Your token for the desk" } })
      const headers = { Authorization: "Bearer ${user_config.DESK_TOKEN}" }
      assert.deepStrictEqual(serverOf(server), { type: "http", url, headers })
      const title = "Your token for the desk"
      assert.deepStrictEqual(server.userConfig, {
        DESK_TOKEN: { type: "string", title, description: title, required: true, sensitive: true }
      })
    })
  )

  it.effect("whose callers sign in where programs are registered by hand names that registration", () =>
    Effect.gen(function* () {
      const server = yield* PluginServer.ofUrl(url, { clientId: "claude-code", callbackPort: 41_999 })
      assert.deepStrictEqual(serverOf(server), {
        type: "http",
        url,
        oauth: { clientId: "claude-code", callbackPort: 41_999 }
      })
      assert.deepStrictEqual(serverOf(yield* PluginServer.ofUrl(url, { clientId: "claude-code" })), {
        type: "http",
        url,
        oauth: { clientId: "claude-code" }
      })
    })
  )

  it.effect("is told one way to know its callers", () =>
    Effect.gen(function* () {
      const refusal = (callers: PluginServer.Callers) => message(PluginServer.ofUrl(url, callers))
      const one =
        'With --url, --secret takes one name, as in --secret DESK_TOKEN="Your token for the desk": it is sent as the bearer token.'
      assert.strictEqual(yield* refusal({ secrets: { ONE: "", TWO: "" } }), one)
      assert.strictEqual(yield* refusal({ secrets: { "not a name": "" } }), one)
      assert.strictEqual(
        yield* refusal({ secrets: { DESK_TOKEN: "" }, clientId: "claude-code" }),
        "Callers sign in, or they have a token: give --client-id or --secret, not both."
      )
      const id = "--client-id takes the id that the authorization server gave to Claude Code, which is not its secret."
      for (const clientId of ["", "claude code", "${CLIENT}"]) assert.strictEqual(yield* refusal({ clientId }), id)
      assert.strictEqual(
        yield* refusal({ callbackPort: 41_999 }),
        "--callback-port belongs to a --client-id that is registered with that port."
      )
      for (const callbackPort of [80, 65_536]) {
        assert.strictEqual(
          yield* refusal({ clientId: "claude-code", callbackPort }),
          "--callback-port takes a port from 1024 to 65535."
        )
      }
    })
  )
})

describe("a server that runs on the machine", () => {
  it.effect("is started with what is asked for, and secrets are never packed", () =>
    Effect.gen(function* () {
      const server = yield* PluginServer.ofScript("", {
        settings: { DESK_USER: "Your user name" },
        secrets: { DESK_TOKEN: "The desk's token" },
        env: { DESK_DATA: "${CLAUDE_PLUGIN_DATA}" }
      })
      assert.deepStrictEqual(serverOf(server), {
        type: "stdio",
        command: "node",
        args: ["${CLAUDE_PLUGIN_ROOT}/server/main.mjs"],
        env: {
          DESK_DATA: "${CLAUDE_PLUGIN_DATA}",
          DESK_USER: "${user_config.DESK_USER}",
          DESK_TOKEN: "${user_config.DESK_TOKEN}"
        }
      })
      assert.deepStrictEqual(
        Object.entries(server.userConfig).map(([name, { sensitive }]) => [name, sensitive]),
        [
          ["DESK_USER", undefined],
          ["DESK_TOKEN", true]
        ]
      )
      const literal = { settings: {}, secrets: {}, env: { DESK_TOKEN: "hunter22hunter22" } }
      assert.strictEqual(
        yield* message(PluginServer.ofScript("", literal)),
        'The value of --env DESK_TOKEN looks like a secret, and everybody who installs the plugin would have it. Ask for it with --secret DESK_TOKEN="what it is".'
      )
    })
  )
})
