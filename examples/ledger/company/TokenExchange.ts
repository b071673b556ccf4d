/**
 * The grant by which the connector gets a token to act for somebody (RFC 8693). `oidc-provider` has none of its own, and
 * takes it as an extension.
 *
 * The token that it is shown must be one of this provider's, for the connector that shows it, of a person who has not left.
 * What it gives is for the ledger alone, lives shortly, and allows the least of three things: what the connector asks for,
 * what the person has let the agent do, and what the person may do.
 */
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from "jose"
import { errors, type Provider, type ResourceServer, type TokenEndpointGrantContext } from "oidc-provider"
import type { Accounts, Role } from "./Accounts.ts"

export const grantType = "urn:ietf:params:oauth:grant-type:token-exchange"

const accessToken = "urn:ietf:params:oauth:token-type:access_token"

export interface Options {
  readonly accounts: Accounts
  readonly keys: JSONWebKeySet
  /** What a token must be for that is shown. */
  readonly subjectAudience: string
  /** What a token is for that is given. */
  readonly target: ResourceServer & { readonly audience: string }
}

interface Parameters {
  readonly subject_token?: string
  readonly subject_token_type?: string
  readonly requested_token_type?: string
  readonly resource?: string
  readonly scope?: string
}

/** What a scope of the ledger asks of the person: a scope that the agent was given, and a role. */
const rules: Readonly<Record<string, { readonly given: string; readonly roles: ReadonlyArray<Role> }>> = {
  "entries:read": { given: "ledger:read", roles: ["clerk", "accountant", "auditor"] },
  "entries:write": { given: "ledger:post", roles: ["clerk", "accountant"] }
}

export const register = (provider: Provider, options: Options): void =>
  provider.registerGrantType<Parameters>(grantType, exchangeWith(provider, options), [
    "subject_token",
    "subject_token_type",
    "requested_token_type",
    "resource",
    "scope"
  ])

const exchangeWith = (provider: Provider, { accounts, keys, subjectAudience, target }: Options) => {
  const keySet = createLocalJWKSet(keys)
  return async (ctx: TokenEndpointGrantContext<Parameters>): Promise<void> => {
    const { client, params } = ctx.oidc
    const { requested_token_type: requested = accessToken, subject_token: shown = "" } = params
    if (params.subject_token_type !== accessToken || requested !== accessToken) {
      throw new errors.InvalidRequest("only access tokens are exchanged, for access tokens")
    }
    if (params.resource !== target.audience) throw new errors.InvalidTarget()
    const { payload } = await jwtVerify(shown, keySet, {
      issuer: provider.issuer,
      audience: subjectAudience,
      typ: "at+jwt",
      algorithms: ["ES256"],
      requiredClaims: ["sub", "exp", "scope"]
    }).catch(() => {
      // RFC 8693, section 2.2.2: a subject token that is not acceptable is an invalid_request.
      throw new errors.InvalidRequest("the subject token is not acceptable")
    })
    const person = accounts.find(payload.sub ?? "")
    if (person === undefined) throw new errors.InvalidRequest("the subject token is not acceptable")

    const given = String(payload["scope"]).split(" ")
    const scopes = (params.scope ?? "").split(" ").filter((scope) => {
      const rule = Object.hasOwn(rules, scope) ? rules[scope] : undefined
      return rule !== undefined && given.includes(rule.given) && rule.roles.includes(person.role)
    })
    if (scopes.length === 0) throw new errors.InvalidScope("this person may do none of it", params.scope ?? "")

    const grant = new provider.Grant({ accountId: person.id, clientId: client.clientId })
    const token = new provider.AccessToken({
      accountId: person.id,
      client,
      grantId: await grant.save(),
      gty: grantType,
      scope: scopes.join(" "),
      resourceServer: { ...target, scopes: new Set(scopes), identifier: () => target.audience }
    })
    ctx.oidc.entity("AccessToken", token)
    ctx.body = {
      access_token: await token.save(),
      issued_token_type: accessToken,
      token_type: "Bearer",
      expires_in: token.expiration,
      scope: token.scope
    }
  }
}
