/**
 * Which claims of a token say who the caller is: a declared mapping from the claims of a JWT, or of an introspection
 * response, to a principal.
 *
 * `standard` goes by RFC 9068; `auth0`, `entraId`, `keycloak` and `okta` know where those put roles and scopes. Each is plain
 * data, so `{ ...ClaimMapping.okta, claims: ["department"] }` is another. A claim that is absent gives nothing; one of
 * another shape than its place in the mapping asks for refuses the token.
 */

/**
 * Where a claim is: its name, or the names to go down through where it is inside an object. A name is taken as it is, with
 * the dots and slashes that it may have.
 *
 * @category models
 * @since 0.1.0
 */
export type ClaimPath = string | readonly [string, ...Array<string>]

/**
 * `id` must be in every token. `roles` are arrays of names, and `scopes` an array or one string with spaces between them;
 * what several claims give is put together. `claims` are the names of further claims that a policy may read in
 * `principal.claims`, and no other is kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface ClaimMapping {
  readonly id: ClaimPath
  readonly tenant?: ClaimPath | undefined
  readonly roles: ReadonlyArray<ClaimPath>
  readonly scopes: ReadonlyArray<ClaimPath>
  readonly claims?: ReadonlyArray<string> | undefined
}

/**
 * Takes what RFC 9068 defines: `sub`, `roles` and `scope`.
 *
 * @category mappings
 * @since 0.1.0
 */
export const standard: ClaimMapping = { id: "sub", roles: ["roles"], scopes: ["scope"] }

/**
 * Takes what Auth0 issues: `sub`, `org_id` as the tenant, `scope`, and the roles that an Action adds under a namespace, as
 * in `https://desk.example.com/roles` for the namespace `https://desk.example.com/`.
 *
 * @category mappings
 * @since 0.1.0
 */
export const auth0 = (options: { readonly namespace: string }): ClaimMapping => ({
  id: "sub",
  tenant: "org_id",
  roles: [`${options.namespace}roles`],
  scopes: ["scope"]
})

/**
 * Takes what Microsoft Entra ID issues: `oid`, which is the same for every application, `tid` as the tenant, app roles from
 * `roles`, and `scp`.
 *
 * @category mappings
 * @since 0.1.0
 */
export const entraId: ClaimMapping = { id: "oid", tenant: "tid", roles: ["roles"], scopes: ["scp"] }

/**
 * Takes what Keycloak issues: `sub`, `scope`, and the roles of one client, or those of the realm where no client is given.
 * It never mixes the two, since a realm role and a client role of one name are different roles.
 *
 * @category mappings
 * @since 0.1.0
 */
export const keycloak = (options: { readonly client?: string } = {}): ClaimMapping => ({
  id: "sub",
  roles: [options.client === undefined ? ["realm_access", "roles"] : ["resource_access", options.client, "roles"]],
  scopes: ["scope"]
})

/**
 * Takes what an Okta authorization server issues: `sub`, `scp`, and a `groups` claim as the roles.
 *
 * @category mappings
 * @since 0.1.0
 */
export const okta: ClaimMapping = { id: "sub", roles: ["groups"], scopes: ["scp"] }
