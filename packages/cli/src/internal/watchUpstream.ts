/**
 * Takes down what handlers send to their upstreams by HTTP, with all that it says, and lets a probe answer in between.
 */
import type { StartOptions } from "./Bench.ts"
import type { HttpRequest } from "./bench/httpMessages.ts"

export interface Sent extends HttpRequest {
  /** It may change something there: it is no read, and no request for a token. */
  readonly mutates: boolean
  /** It asks an authorization server for a token. */
  readonly isGrant: boolean
}

export interface Watch {
  readonly sent: ReadonlyArray<Sent>
  readonly upstream: NonNullable<StartOptions["upstream"]>
}

/** `answer` gets every request but those for tokens. */
export const watchUpstream = (
  answer: (sent: Sent, next: () => Promise<Response>) => Promise<Response> = (_, next) => next()
): Watch => {
  const sent: Array<Sent> = []
  return {
    sent,
    upstream: async (request, next) => {
      const one = await sentOf(request)
      sent.push(one)
      return one.isGrant ? next() : answer(one, next)
    }
  }
}

const sentOf = async (request: Request): Promise<Sent> => {
  const { headers, method, url } = request
  return judged({ method, url: new URL(url), headers, body: await request.text() })
}

const judged = (request: HttpRequest): Sent => {
  const { body, headers, method } = request
  const isForm = headers.get("content-type")?.startsWith("application/x-www-form-urlencoded") === true
  const isGrant = isForm && new URLSearchParams(body).has("grant_type")
  const mutates = !isGrant && !["GET", "HEAD", "OPTIONS", "QUERY", "CONNECT"].includes(method)
  return { ...request, mutates, isGrant }
}

/** Those that were not sent by what is watched here, but by another client: each is in both lists otherwise. */
export const byOthers = (departed: ReadonlyArray<HttpRequest>, sent: ReadonlyArray<Sent>): ReadonlyArray<Sent> => {
  const left = sent.map(lineOf)
  return departed.map(judged).filter((each) => {
    const at = left.indexOf(lineOf(each))
    if (at !== -1) left.splice(at, 1)
    return at === -1
  })
}

const lineOf = ({ method, url: { host, pathname, search } }: HttpRequest) => `${method} ${host}${pathname}${search}`

/** Whether a request says this anywhere. */
export const says = ({ body, headers, url }: Sent, text: string): boolean =>
  `${url.href}\n${Array.from(headers.values()).join("\n")}\n${body}`.includes(text)
