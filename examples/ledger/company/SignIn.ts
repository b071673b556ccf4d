/**
 * The page on which people sign in and allow an agent to act for them.
 */
import type { IncomingMessage, ServerResponse } from "node:http"
import type { Provider } from "oidc-provider"
import type { Accounts } from "./Accounts.ts"
import { textOf } from "./listen.ts"

export const path = "/interaction/"

export const answer = async (
  provider: Provider,
  accounts: Accounts,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  const { params } = await provider.interactionDetails(request, response)
  const page = (status: number, text: string) =>
    void response.writeHead(status, { "content-type": "text/html; charset=utf-8" }).end(pageOf(text))
  if (request.method !== "POST")
    return page(200, `${escaped(params["client_id"])} asks for ${escaped(params["scope"])}`)

  const form = new URLSearchParams(await textOf(request))
  const person = accounts.signIn(form.get("user") ?? "", form.get("password") ?? "")
  if (person === undefined) return page(403, "There is no such person, or the password is another one.")
  const grant = new provider.Grant({ accountId: person.id, clientId: String(params["client_id"]) })
  const scope = String(params["scope"] ?? "")
  grant.addOIDCScope(scope)
  grant.addResourceScope(String(params["resource"]), scope)
  await provider.interactionFinished(request, response, {
    login: { accountId: person.id },
    consent: { grantId: await grant.save() }
  })
}

const pageOf = (text: string) => `<!doctype html><title>Sign in</title><p>${text}</p>
<form method="post"><label>Name <input name="user"></label> <label>Password <input name="password" type="password"></label>
<button>Sign in and allow</button></form>`

const escaped = (value: unknown) => String(value ?? "nothing").replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`)
