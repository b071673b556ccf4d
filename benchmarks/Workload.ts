/**
 * What every contender serves and how an answer is told right from wrong: one tool with four bounded arguments that
 * prices a parcel and answers the price as one JSON text block. The write books the parcel under its reference, so
 * each of its calls is a first execution. Requests are built as text, so that a load spends next to nothing on them.
 */
export const revisions = ["2025-11-25", "2026-07-28"] as const

/** The revision of the protocol that a client speaks. */
export type Revision = (typeof revisions)[number]

/** `read` and `write` are the two tools; `replay` is the write asked for again and again with 1,000 references. */
export type Work = "read" | "write" | "replay"

export interface Parcel {
  readonly reference: string
  readonly grams: number
  readonly service: "economy" | "express"
  readonly insured: boolean
}

export interface Price {
  readonly cents: number
  readonly days: number
}

/** The name and the words of the tools, the same for every contender. */
export const quote = {
  name: "quote_parcel",
  title: "Quote a parcel",
  description: "Prices a parcel to be sent."
} as const
export const book = {
  name: "book_parcel",
  title: "Book a parcel",
  description: "Books a parcel and answers its price."
} as const

export const words = {
  reference: "The parcel's reference, 1 to 40 characters.",
  grams: "Weight in grams, 1 to 30000.",
  service: "How fast it travels.",
  insured: "Whether it is insured."
}

/** Prices a parcel: the whole handler, so that what is measured is the server around it. */
export const price = ({ grams, insured, service }: Parcel): Price => ({
  cents: (service === "express" ? 900 : 450) + Math.ceil(grams / 10) + (insured ? 120 : 0),
  days: service === "express" ? 1 : 4
})

/** The price of the parcel that every request names. */
export const expected: Price = { cents: 1270, days: 1 }

export const toolOf = (work: Work): string => (work === "read" ? quote.name : book.name)

/** Sent with every HTTP request; of the contenders only Ferrule asks for one. */
export const bearerToken = "bench-0123456789abcdef"

const client = { name: "bench", version: "1.0.0" }

/** The client's part of each request: a 2026 server is told on every call what a 2025 server is told once. */
const envelope = {
  "io.modelcontextprotocol/protocolVersion": "2026-07-28",
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": client
}

/** Makes the function that writes the request with a given id. */
export const requestsOf = (revision: Revision, work: Work): ((id: number) => string) => {
  const meta = revision === "2026-07-28" ? `,"_meta":${JSON.stringify(envelope)}` : ""
  const middle = `,"method":"tools/call","params":{"name":"${toolOf(work)}","arguments":{"reference":"P-`
  const end = `","grams":2500,"service":"express","insured":true}${meta}}}`
  return (id) => `{"jsonrpc":"2.0","id":${id}${middle}${work === "replay" ? id % 1000 : id}${end}`
}

/** The messages of a 2025 client before its first call; the first wants an answer, the second has none. */
export const handshake = [
  JSON.stringify({
    jsonrpc: "2.0",
    id: 0,
    method: "initialize",
    params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: client }
  }),
  JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" })
] as const

/** Reads the id of an answer without parsing it; undefined for a message that is no answer, or an error. */
export const answeredId = (text: string): number | undefined => {
  const at = text.indexOf('"id":')
  return at < 0 ? undefined : Number.parseInt(text.slice(at + 5, at + 20), 10)
}

/**
 * Makes the check of answers, which throws what `verify` throws. An answer with the result of one that was verified is right,
 * and that costs no more than to look for it. `whole` gives the text of an answer that came in chunks, whose borders may lie
 * anywhere.
 */
export const checking = (revision: Revision): ((text: string, whole?: () => string) => void) => {
  let right: string | undefined
  return (text, whole = () => text) => {
    if (right !== undefined && text.includes(right)) return
    const answer = whole()
    verify(answer, revision)
    right = `"result":${JSON.stringify((JSON.parse(answer) as { result: unknown }).result)}`
  }
}

/** Throws, with the answer in the message, unless the answer is right in every part. */
export const verify = (text: string, revision: Revision): void => {
  const { result } = JSON.parse(text) as { result?: Record<string, unknown> }
  const content = result?.["content"] as ReadonlyArray<{ readonly type: string; readonly text: string }> | undefined
  const right =
    result !== undefined &&
    result["isError"] !== true &&
    content?.[0]?.type === "text" &&
    samePrice(JSON.parse(content[0].text)) &&
    (result["structuredContent"] === undefined || samePrice(result["structuredContent"])) &&
    (revision === "2025-11-25" || result["resultType"] === "complete")
  if (!right) throw new Error(`wrong answer: ${text}`)
}

const samePrice = (value: unknown): boolean => {
  const { cents, days } = value as Price
  return cents === expected.cents && days === expected.days
}
