/**
 * An agent that acts for one person: the official MCP client with its own OAuth support.
 *
 * It knows nothing but the connector's URL and its own client id. The connector's challenge leads it to the metadata, that to
 * the identity provider, and the person signs in there.
 */
import {
  Client,
  exchangeAuthorization,
  discoverAuthorizationServerMetadata,
  type OAuthClientProvider,
  type OAuthDiscoveryState,
  type StoredOAuthTokens,
  startAuthorization,
  StreamableHTTPClientTransport,
  UnauthorizedError
} from "@modelcontextprotocol/client"
import { randomBytes } from "node:crypto"
import type { Person } from "../company/Accounts.ts"
import * as Browser from "./Browser.ts"

/** How the identity provider knows the agent. Nobody listens there: the browser of the demo stops before. */
export const registration = { id: "desktop-agent", redirectUri: "http://127.0.0.1:41999/callback" }

const clientInformation = { client_id: registration.id }

/** What the agent remembers of one person. */
class Session implements OAuthClientProvider {
  readonly redirectUrl = registration.redirectUri
  readonly clientMetadata = { client_name: "Desktop agent", redirect_uris: [registration.redirectUri] }
  readonly expectedState = randomBytes(16).toString("base64url")
  saved: StoredOAuthTokens | undefined
  signInAt: URL | undefined
  private verifier = ""
  private discovered: OAuthDiscoveryState | undefined

  clientInformation() {
    return clientInformation
  }
  state() {
    return this.expectedState
  }
  tokens() {
    return this.saved
  }
  saveTokens(tokens: StoredOAuthTokens) {
    this.saved = tokens
  }
  redirectToAuthorization(url: URL) {
    this.signInAt = url
  }
  saveCodeVerifier(verifier: string) {
    this.verifier = verifier
  }
  codeVerifier() {
    return this.verifier
  }
  saveDiscoveryState(state: OAuthDiscoveryState) {
    this.discovered = state
  }
  discoveryState() {
    return this.discovered
  }
}

export interface Agent {
  readonly client: Client
  /** The token that it sends to the connector. */
  readonly token: string
}

/** Connects for a person, who signs in. `fetch` sees every answer of the connector. */
export const connect = async (endpoint: URL, person: Person, fetch: typeof globalThis.fetch): Promise<Agent> => {
  const session = new Session()
  const client = new Client({ name: "demo", version: "1.0.0" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } })
  const transport = () => new StreamableHTTPClientTransport(endpoint, { authProvider: session, fetch })
  const first = transport()
  await client.connect(first).catch((error: unknown) => {
    if (!(error instanceof UnauthorizedError)) throw error
  })
  const answer = await Browser.signIn(session.signInAt!, registration.redirectUri, person)
  if (answer.get("state") !== session.expectedState) throw new Error("the answer is to another request")
  await first.finishAuth(answer)
  await client.connect(transport())
  return { client, token: session.saved!.access_token }
}

/** Has a person sign in for another resource server, and gives the token for that. */
export const tokenFor = async (issuer: string, resource: string, scope: string, person: Person): Promise<string> => {
  const metadata = await discoverAuthorizationServerMetadata(issuer)
  const request = { metadata: metadata!, clientInformation, resource: new URL(resource) }
  const state = randomBytes(16).toString("base64url")
  const redirectUrl = registration.redirectUri
  const { authorizationUrl, codeVerifier } = await startAuthorization(issuer, { ...request, redirectUrl, scope, state })
  const answer = await Browser.signIn(authorizationUrl, redirectUrl, person)
  const refusal = answer.get("error")
  if (refusal !== null) throw new Error(refusal)
  const tokens = await exchangeAuthorization(issuer, {
    ...request,
    redirectUri: redirectUrl,
    codeVerifier,
    authorizationCode: answer.get("code") ?? "",
    iss: answer.get("iss") ?? ""
  })
  return tokens.access_token
}
