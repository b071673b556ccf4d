/**
 * The company's identity provider: a real authorization server (`oidc-provider`) on this machine.
 *
 * People sign in with a browser, by authorization code with PKCE, and an agent gets a token for the connector. The connector
 * exchanges that for one that the ledger takes. No agent gets a token for the ledger: it is only given in exchange.
 *
 * Its signing keys and the connector's secret rotate as they do elsewhere: the next one is made known, then it is used, and
 * the one before is taken away when nothing depends on it any more.
 */
import type { Effect, Scope } from "effect"
import { generateKeyPairSync, randomBytes } from "node:crypto"
import type { RequestListener } from "node:http"
import type { JWK } from "jose"
import { type Configuration, errors, type KoaContextWithOIDC, Provider } from "oidc-provider"
import * as Accounts from "./Accounts.ts"
import { listen } from "./listen.ts"
import * as SignIn from "./SignIn.ts"
import * as Storage from "./Storage.ts"
import * as TokenExchange from "./TokenExchange.ts"

export interface Options {
  /** 0 takes any free one. */
  readonly port: number
  readonly people: ReadonlyArray<Accounts.Person>
  /** The program that people let act for them. It can keep no secret, so it has none. */
  readonly agent: { readonly id: string; readonly redirectUri: string }
  readonly connector: { readonly id: string; readonly secret: string; readonly resource: string }
  /** `tokenLifetime` is in seconds. */
  readonly ledger: { readonly resource: string; readonly tokenLifetime: number }
}

export interface IdentityProvider {
  readonly issuer: string
  /** Publishes another key, which signs nothing yet. */
  readonly publishNextKey: () => void
  /** Signs with the key that was published last. The earlier ones stay published for the tokens that they have signed. */
  readonly signWithNextKey: () => void
  /** Takes another secret of the connector beside the present one. */
  readonly addSecret: (secret: string) => void
  /** Takes the last secret alone. */
  readonly dropOldSecrets: () => void
  /** Somebody leaves the company. */
  readonly close: (person: string) => void
  /** For whom a token was asked in exchange, and how that ended. */
  readonly exchanges: ReadonlyArray<{ readonly person: string | undefined; readonly given: boolean }>
  /** Every token that it has handed out: what must turn up nowhere else. */
  readonly issued: ReadonlyArray<string>
}

/** A further resource server of the company's, which has nothing to do with the ledger. */
export const wiki = "https://wiki.acme.example/"

const newKey = (): JWK => ({
  ...generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({ format: "jwk" }),
  kid: randomBytes(6).toString("hex"),
  use: "sig",
  alg: "ES256"
})

const publicPart = ({ alg, crv, kid, kty, use, x, y }: JWK): JWK => ({ alg, crv, kid, kty, use, x, y }) as JWK

const isExchange = ({ params }: KoaContextWithOIDC["oidc"]) => params?.["grant_type"] === TokenExchange.grantType

const make = (issuer: string, { agent, connector, ledger, people }: Options) => {
  const accounts = Accounts.make(people)
  const adapter = Storage.make()
  const cookieKeys = [randomBytes(24).toString("base64url")]
  const exchanges: Array<IdentityProvider["exchanges"][number]> = []
  const issued: Array<string> = []
  let secrets = [connector.secret]
  // The first one signs, and all are published.
  let keys = [newKey()]

  const signed = { accessTokenFormat: "jwt", jwt: { sign: { alg: "ES256" } } } as const
  const target = {
    ...signed,
    audience: ledger.resource,
    scope: "entries:read entries:write",
    accessTokenTTL: ledger.tokenLifetime
  }
  const signInTargets: Readonly<Record<string, string>> = {
    [connector.resource]: "ledger:read ledger:post",
    [wiki]: "wiki:read"
  }

  const configuration = (): Configuration => ({
    adapter,
    jwks: { keys },
    cookies: { keys: cookieKeys },
    clients: [
      {
        client_id: agent.id,
        token_endpoint_auth_method: "none",
        application_type: "native",
        grant_types: ["authorization_code"],
        redirect_uris: [agent.redirectUri]
      },
      {
        client_id: connector.id,
        client_secret: connector.secret,
        grant_types: [TokenExchange.grantType],
        response_types: [],
        redirect_uris: []
      }
    ],
    clientDefaults: { id_token_signed_response_alg: "ES256" },
    scopes: [],
    responseTypes: ["code"],
    pkce: { required: () => true },
    findAccount: (_, id) =>
      accounts.find(id) === undefined ? undefined : { accountId: id, claims: () => ({ sub: id }) },
    extraTokenClaims: (_, token) => {
      if (!("accountId" in token)) return undefined
      // RFC 8693, section 4.1: the ledger sees for whom it is, and who acts.
      if (token.gty === TokenExchange.grantType) return { act: { sub: token.clientId } }
      return { roles: [accounts.find(token.accountId)?.role] }
    },
    interactions: { url: (_, { uid }) => `${SignIn.path}${uid}` },
    features: {
      devInteractions: { enabled: false },
      userinfo: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => {
          throw new errors.InvalidTarget("say by resource what the token is for")
        },
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => {
          if (!Object.hasOwn(signInTargets, resource)) throw new errors.InvalidTarget()
          return { ...signed, audience: resource, scope: signInTargets[resource]!, accessTokenTTL: 900 }
        }
      }
    },
    ttl: {
      AccessToken: (_, { resourceServer }) => resourceServer?.accessTokenTTL ?? 60,
      Session: 3600,
      Interaction: 600,
      Grant: 3600,
      AuthorizationCode: 60,
      IdToken: 300
    }
  })

  const listener = (): RequestListener => {
    const provider = new Provider(issuer, configuration())
    provider.Client.prototype.compareClientSecret = (given) =>
      secrets.some((secret) => Accounts.isSameSecret(secret, given))
    TokenExchange.register(provider, {
      accounts,
      keys: { keys: keys.map(publicPart) },
      subjectAudience: connector.resource,
      target
    })
    provider.on("grant.success", ({ body, oidc }) => {
      issued.push((body as { readonly access_token: string }).access_token)
      if (isExchange(oidc)) exchanges.push({ person: oidc.entities.AccessToken?.accountId, given: true })
    })
    provider.on("grant.error", ({ oidc }) => {
      if (isExchange(oidc)) exchanges.push({ person: undefined, given: false })
    })
    const callback = provider.callback()
    return (request, response) => {
      if (request.url?.startsWith(SignIn.path) !== true) return void callback(request, response)
      SignIn.answer(provider, accounts, request, response).catch(() => response.writeHead(400).end())
    }
  }

  let answer = listener()
  // As with most servers, a change of the keys takes a new one with the same memory.
  const rotate = (next: Array<JWK>) => {
    keys = next
    answer = listener()
  }
  return {
    issuer,
    exchanges,
    issued,
    answer: ((request, response) => answer(request, response)) satisfies RequestListener,
    publishNextKey: () => rotate([...keys, newKey()]),
    signWithNextKey: () => rotate([keys.at(-1)!, ...keys.slice(0, -1)]),
    addSecret: (secret: string) => void (secrets = [...secrets, secret]),
    dropOldSecrets: () => void (secrets = secrets.slice(-1)),
    close: accounts.close
  }
}

/** Starts the provider. It stops when the scope closes. */
export const start = (options: Options): Effect.Effect<IdentityProvider, Error, Scope.Scope> =>
  listen(options.port, (url) => make(url, options))
