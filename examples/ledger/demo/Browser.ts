/**
 * What a browser does when somebody signs in: it follows redirects, keeps cookies and sends the form of the sign-in page.
 */
import type { Person } from "../company/Accounts.ts"

/** The identity provider did not let somebody in. */
export class SignInRefused extends Error {
  override readonly name = "SignInRefused"
}

/** Signs a person in, and gives what the identity provider sends back to the agent by way of the browser. */
export const signIn = async (start: URL, callback: string, { id, password }: Person): Promise<URLSearchParams> => {
  const cookies = new Map<string, string>()
  let form: URLSearchParams | undefined
  let url = start
  for (let steps = 0; steps < 10; steps++) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join("; ")
    const response = await fetch(url, {
      redirect: "manual",
      headers: { cookie },
      ...(form !== undefined && { method: "POST", body: form })
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    const location = response.headers.get("location")
    if (location === null) {
      if (response.status !== 200 || form !== undefined) throw new SignInRefused(`status ${response.status}`)
      form = new URLSearchParams({ user: id, password })
    } else {
      form = undefined
      url = new URL(location, url)
      if (url.href.startsWith(callback)) return url.searchParams
    }
    await response.body?.cancel()
  }
  throw new SignInRefused("it redirects without end")
}
