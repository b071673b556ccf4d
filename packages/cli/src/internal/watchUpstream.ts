/**
 * Takes down what handlers send to their upstreams by HTTP, with all that it says, and lets a probe answer in between.
 */
import type { StartOptions } from "./Bench.ts"

export interface Sent {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: string
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
  const { headers, method } = request
  const body = await request.text()
  const isForm = headers.get("content-type")?.startsWith("application/x-www-form-urlencoded") === true
  const isGrant = isForm && new URLSearchParams(body).has("grant_type")
  const mutates = !isGrant && !["GET", "HEAD", "OPTIONS", "QUERY"].includes(method)
  return { method, url: new URL(request.url), headers, body, mutates, isGrant }
}

/** Whether a request says this anywhere. */
export const says = ({ body, headers, url }: Sent, text: string): boolean =>
  `${url.href}\n${Array.from(headers.values()).join("\n")}\n${body}`.includes(text)
