import { Effect } from "effect"
import { decodeJwt } from "jose"
import * as Screen from "../../service-desk/demo/Screen.ts"
import { check, prove } from "../../service-desk/demo/Stage.ts"
import { wiki } from "../company/IdentityProvider.ts"
import * as Agent from "../demo/Agent.ts"
import type { Stage } from "../demo/Stage.ts"
import { attempt, people } from "../demo/World.ts"

/** Tokens where they do not belong. */
export const wrongPlaces = Effect.fnUntraced(function* (stage: Stage) {
  const { agents, audience, endpoint, fetch, ledger, provider } = stage
  const before = stage.requests()
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } })

  const forWiki = yield* attempt("no token for the wiki", () =>
    Agent.tokenFor(provider.issuer, wiki, "wiki:read", people.adam)
  )
  Screen.note(`Adam is in the company's wiki, too, and his agent sends the connector the token for ${wiki}:`)
  const response = yield* attempt("no answer", () =>
    fetch(endpoint, { method: "POST", body: "{}", ...bearer(forWiki) })
  )
  Screen.answer(`HTTP ${response.status}\nWWW-Authenticate: ${response.headers.get("www-authenticate")}`, true)
  yield* prove(
    response.status === 401 && stage.requests() === before,
    "it is a good token of the same person by the same issuer, and is refused: it is for another audience"
  )

  const refused = yield* Effect.flip(
    attempt("no token", () => Agent.tokenFor(provider.issuer, audience, "entries:write", people.adam))
  )
  yield* prove(
    refused.message.includes("invalid_target"),
    "and an agent that asks for a token for the ledger itself is given none"
  )

  const readOnly = yield* attempt("no token", () =>
    Agent.tokenFor(provider.issuer, endpoint.href, "ledger:read", people.adam)
  )
  Screen.note("Adam lets another agent read only. It posts an entry:")
  const narrow = yield* attempt("no answer", () => fetch(endpoint, { method: "POST", ...postEntry(readOnly) }))
  Screen.answer(`HTTP ${narrow.status}\nWWW-Authenticate: ${narrow.headers.get("www-authenticate")}`, true)
  yield* prove(
    narrow.status === 403 && stage.requests() === before,
    "the role would do, the scope does not; the challenge names the scope that he would have to grant"
  )

  Screen.note("An agent goes around the connector, and sends its token to the ledger:")
  const around = yield* attempt("no answer", () => globalThis.fetch(`${ledger.url}/entries`, bearer(agents.adam.token)))
  Screen.answer(`HTTP ${around.status} ${yield* attempt("", () => around.text())}`, true)
  const seen = ledger.log.at(-1)!
  yield* prove(
    around.status === 401 && seen.audience === endpoint.href,
    "the ledger refuses it, and its log has the audience that it saw: the connector's"
  )
})

/** A call as any HTTP client makes it. */
const postEntry = (token: string) => ({
  headers: {
    authorization: `Bearer ${token}`,
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": "2025-11-25"
  },
  body: JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method: "tools/call",
    params: {
      name: "post_entry",
      arguments: { debit: "office", credit: "bank", cents: 100, reference: "INV-1", memo: "A pen" }
    }
  })
})

/** An upstream that puts the token into its answer. */
export const carelessLedger = Effect.fnUntraced(function* (stage: Stage) {
  Screen.note("Somebody has left a trace on in the ledger: it quotes the token of a request in its answer.")
  stage.ledger.misbehave("quote-the-token")
  const { fields } = yield* stage.call("olga", "list_entries", { limit: 1 })
  const text = JSON.stringify(fields)
  Screen.answer(text, false)
  yield* prove(
    text.includes("trace: Bearer <redacted>"),
    "the connector knows each token for as long as it holds it, and blanks it out"
  )
})

/** Looks for every token and secret wherever something is kept or sent. */
export const canaries = Effect.fnUntraced(function* (stage: Stage) {
  const { audience, ledger, provider } = stage
  const accepted = ledger.log.filter(({ status }) => status < 400)
  const ofAgents = provider.issued.map((token) => decodeJwt(token)).filter(({ aud }) => aud !== audience)
  yield* check(
    accepted.every(({ actor }) => actor === "ledger-connector"),
    "the ledger saw in each token that the connector acts"
  )
  yield* check(ofAgents.length === 6, "six tokens were given to agents")
  yield* prove(
    accepted.every(({ audience: seen, tokenId }) => seen === audience && ofAgents.every(({ jti }) => jti !== tokenId)),
    `the ledger answered ${accepted.length} requests, all with tokens for ${audience}, and none with one of the ${ofAgents.length} tokens that agents were given`
  )

  const outputs = Object.entries(stage.outputs())
  const needles = stage.canaries().flatMap(formsOf)
  for (const [where, text] of outputs) yield* check(text.length > 100, `there is something in ${where} to look through`)
  const leaks = outputs.filter(([, text]) => needles.some((needle) => text.includes(needle)))
  const records = stage.auditRecords()
  Screen.note(`Looked through: ${outputs.map(([where, text]) => `${where} (${size(text)})`).join(", ")}.`)
  yield* check(
    records.every((record) => !("arguments" in record)),
    "no audit record has arguments"
  )
  yield* prove(
    leaks.length === 0,
    leaks.length === 0
      ? `none of the ${stage.canaries().length} tokens, secrets and passwords is there, whole or by its signature, plain or in base64; ` +
          `the audit trail has ${records.length} records`
      : `there is none in ${leaks.map(([where]) => where).join(", ")}`
  )
})

/** A token also leaks by its signature, which is all that is secret of it. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const signature = secret.split(".").at(-1)!
  return [secret, signature, Buffer.from(secret).toString("base64").replace(/=+$/, "").slice(0, -2)]
}

const size = (text: string) => `${Math.ceil(text.length / 1024)} kB`
