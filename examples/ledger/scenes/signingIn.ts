import { Effect } from "effect"
import { decodeJwt } from "jose"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import * as Table from "../demo/Table.ts"
import { attempt, type Name, type World } from "../demo/World.ts"

/** A stranger is told where to sign in, and three people do. Gives their agents. */
export const signingIn = Effect.fnUntraced(function* (world: World) {
  const { endpoint, fetch, provider } = world
  const response = yield* attempt("no answer", () => fetch(endpoint, { method: "POST", body: "{}" }))
  const challenge = response.headers.get("www-authenticate") ?? ""
  Screen.note("Somebody asks without a token:")
  Screen.answer(`HTTP ${response.status}\nWWW-Authenticate: ${challenge}`, true)
  const address = /resource_metadata="([^"]+)"/.exec(challenge)?.[1]
  yield* check(response.status === 401 && address !== undefined, "a stranger gets a 401 that names the metadata")
  const metadata = yield* attempt("no metadata", async () => (await fetch(address!)).json())
  const { authorization_servers: servers, resource, scopes_supported: scopes } = metadata as Record<string, unknown>
  Screen.answer(`GET ${address}\nresource ${resource} · authorization server ${servers} · scopes ${scopes}`, false)
  yield* prove(
    resource === endpoint.href && String(servers) === provider.issuer,
    "the challenge leads to the metadata (RFC 9728), and that to the identity provider"
  )

  Screen.note(
    "Three people sign in there, each through an agent: the MCP client's own OAuth, authorization code with PKCE, for this " +
      "resource (RFC 8707). What the tokens of the agents say:"
  )
  const names: ReadonlyArray<Name> = ["cleo", "adam", "olga"]
  const [cleo, adam, olga] = yield* Effect.forEach(names, (name) => world.signIn(name))
  const agents = { cleo: cleo!, adam: adam!, olga: olga! }
  const claims = names.map((name) => decodeJwt(agents[name].token))
  Table.print([
    ["sub", "roles", "aud", "scope"],
    ...claims.map(({ aud, roles, scope, sub }) => [sub, roles, aud, scope].map(String))
  ])
  yield* prove(
    claims.every(({ aud, iss }) => aud === endpoint.href && iss === provider.issuer),
    "each token names its person and is for this connector alone; the identity provider gives the role, and no agent can ask for one"
  )
  return agents
})
