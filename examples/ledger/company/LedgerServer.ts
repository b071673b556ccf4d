/**
 * The company's ledger: a REST server that was there before any connector, and knows nothing of one.
 *
 * It takes tokens of the identity provider that are for the ledger (RFC 9068), by the provider's published keys, and asks a
 * scope of each request. A post has an `Idempotency-Key`: the same key with the same request gets the first answer again. It
 * logs whom each request was for and what its token was for, and never a token.
 */
import { type Effect, Schema, type Scope } from "effect"
import { createRemoteJWKSet, decodeJwt, decodeProtectedHeader, type JWTPayload, jwtVerify } from "jose"
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http"
import { Account, Cents, type Entry, Memo, Reference } from "../Entry.ts"
import { listen, textOf } from "./listen.ts"

export interface Options {
  /** 0 takes any free one. */
  readonly port: number
  readonly issuer: string
  readonly audience: string
  /** Gets each line of the log. */
  readonly onRequest?: (seen: Seen) => void
}

/** What the ledger logs of a request. */
export interface Seen {
  readonly request: string
  readonly status: number
  readonly subject: string | undefined
  readonly actor: string | undefined
  readonly audience: string | undefined
  readonly tokenId: string | undefined
  readonly keyId: string | undefined
}

export interface LedgerServer {
  readonly url: string
  readonly log: ReadonlyArray<Seen>
  readonly entries: ReadonlyArray<Entry>
  /** What the next request meets: its answer is lost after the work is done, or quotes the token that it came with. */
  readonly misbehave: (how: "lose-the-answer" | "quote-the-token") => void
}

const NewEntry = Schema.Struct({ debit: Account, credit: Account, cents: Cents, reference: Reference, memo: Memo })
const decodeNewEntry = Schema.decodeUnknownOption(Schema.fromJsonString(NewEntry))

interface Answer {
  readonly status: number
  readonly body: unknown
}

const refuse = (status: number, error: string): Answer => ({ status, body: { error } })

const make = ({ audience, issuer, onRequest }: Options) => {
  // A key that is not known is looked for at once, and then not again for a second.
  const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`), { cooldownDuration: 1000 })
  const entries: Array<Entry> = []
  const answers = new Map<string, { readonly request: string; readonly answer: Answer }>()
  const log: Array<Seen> = []
  let fault: Parameters<LedgerServer["misbehave"]>[0] | undefined

  const post = (entry: Omit<Entry, "id">): Answer => {
    entries.unshift({ ...entry, id: `E-${entries.length + 1}` })
    return { status: 201, body: entries[0] }
  }

  const write = (route: string, body: string, postedBy: string): Answer => {
    const id = /^POST \/entries\/(E-\d+)\/reversal$/.exec(route)?.[1]
    if (id !== undefined) {
      const entry = entries.find((entry) => entry.id === id)
      if (entry === undefined) return refuse(404, "no such entry")
      if (entries.some(({ reverses }) => reverses === id)) return refuse(409, "it is reversed already")
      const { credit, debit } = entry
      return post({ ...entry, debit: credit, credit: debit, memo: `Reverses ${id}`, postedBy, reverses: id })
    }
    const entry = decodeNewEntry(body)
    if (entry._tag === "None" || entry.value.debit === entry.value.credit) return refuse(422, "no entry")
    return post({ ...entry.value, postedBy, reverses: null })
  }

  /** Carries a post out once for each key of a caller. */
  const once = (key: string | undefined, route: string, body: string, caller: string): Answer => {
    if (key === undefined) return refuse(400, "a post needs an Idempotency-Key")
    const request = `${route} ${body}`
    const earlier = answers.get(`${caller} ${key}`)
    if (earlier !== undefined) {
      return earlier.request === request ? earlier.answer : refuse(422, "the key belongs to another request")
    }
    const answer = write(route, body, caller)
    if (answer.status < 500) answers.set(`${caller} ${key}`, { request, answer })
    return answer
  }

  const read = ({ pathname, searchParams }: URL): Answer => {
    const account = pathname === "/entries" ? searchParams.get("account") : pathname.replace("/accounts/", "")
    const found = entries.filter(({ credit, debit }) => account === null || credit === account || debit === account)
    if (pathname === "/entries") {
      const limit = Number(searchParams.get("limit") ?? 10)
      return { status: 200, body: { entries: found.slice(0, limit), total: found.length } }
    }
    const cents = found.reduce((sum, entry) => sum + (entry.debit === account ? entry.cents : -entry.cents), 0)
    return { status: 200, body: { account, cents } }
  }

  const answerTo = async (request: IncomingMessage, token: string): Promise<Answer> => {
    const url = new URL(request.url ?? "/", "http://ledger")
    const route = `${request.method} ${url.pathname}`
    const scope = scopeOf(route)
    if (scope === undefined) return refuse(404, "no such route")
    const claims = await jwtVerify<{ scope?: string }>(token, keys, {
      issuer,
      audience,
      typ: "at+jwt",
      algorithms: ["ES256"],
      requiredClaims: ["sub", "exp", "scope"],
      clockTolerance: 5
    }).then(
      ({ payload }) => payload,
      () => undefined
    )
    if (claims === undefined) return refuse(401, "invalid_token")
    if (claims.scope?.split(" ").includes(scope) !== true) return refuse(403, "insufficient_scope")
    if (request.method === "GET") return read(url)
    const body = await textOf(request)
    return once(request.headers["idempotency-key"]?.toString(), route, body, claims.sub ?? "")
  }

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const token = request.headers.authorization?.replace(/^Bearer /i, "") ?? ""
    const { status, body } = await answerTo(request, token)
    const seen: Seen = { request: `${request.method} ${request.url}`, status, ...claimedBy(token) }
    log.push(seen)
    onRequest?.(seen)
    const how = fault
    fault = undefined
    if (how === "lose-the-answer") return void request.socket.destroy()
    const text = JSON.stringify(body)
    const challenge: Record<string, string> =
      status === 401 || status === 403
        ? { "www-authenticate": `Bearer error="${(body as { error: string }).error}"` }
        : {}
    response
      .writeHead(status, { "content-type": "application/json", ...challenge })
      .end(how === "quote-the-token" ? text.replace(/"memo":"[^"]*"/, `"memo":"trace: Bearer ${token}"`) : text)
  }

  return {
    answer: ((request, response) => {
      respond(request, response).catch(() => response.writeHead(500).end())
    }) satisfies RequestListener,
    log,
    entries,
    misbehave: (how: NonNullable<typeof fault>) => void (fault = how)
  }
}

const scopeOf = (route: string): string | undefined => {
  if (route === "GET /entries" || /^GET \/accounts\/[a-z]+$/.test(route)) return "entries:read"
  return /^POST \/entries(\/E-\d+\/reversal)?$/.test(route) ? "entries:write" : undefined
}

/** What a token says, believed or not. */
const claimedBy = (token: string): Omit<Seen, "request" | "status"> => {
  try {
    const { act, aud, jti, sub } = decodeJwt<JWTPayload & { act?: { sub?: string } }>(token)
    const { kid } = decodeProtectedHeader(token)
    return { subject: sub, actor: act?.sub, audience: aud?.toString(), tokenId: jti, keyId: kid }
  } catch {
    return { subject: undefined, actor: undefined, audience: undefined, tokenId: undefined, keyId: undefined }
  }
}

/** Starts the ledger. It stops when the scope closes. */
export const start = (options: Options): Effect.Effect<LedgerServer, Error, Scope.Scope> =>
  listen(options.port, (url) => ({ url, ...make(options) }))
