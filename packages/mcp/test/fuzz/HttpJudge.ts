/**
 * Judges what came back on one connection by what the model expects of each of its requests.
 */
import type { Expected } from "./HttpModel.ts"
import type { Exchange, HttpAnswer } from "./HttpWire.ts"
import { type Fault, fault, judgeText, noteOf, type Read, readMessage } from "./Judge.ts"

export interface HttpVerdict {
  readonly faults: ReadonlyArray<Fault>
  /** The class of each answer, for the report. */
  readonly answers: ReadonlyArray<string>
  /** The notes of calls that were answered with a result, and whether that was a repeat's. */
  readonly results: ReadonlyArray<{ readonly note: string; readonly replayed: boolean }>
}

const nodeRefusals = [400, 408, 413, 417, 431, 503, 505]

export const judge = (expected: ReadonlyArray<Expected>, { answers, rest }: Exchange): HttpVerdict => {
  const faults: Array<Fault> = []
  const classes: Array<string> = []
  const results: Array<{ note: string; replayed: boolean }> = []
  let open = true
  expected.forEach((each, index) => {
    const answer = answers[index]
    if (answer === undefined) {
      if (each.asked?.kind === "request" && each.asked.method === "subscriptions/listen" && rest.length > 0) {
        classes.push("200 subscription")
        faults.push(...judgeText(rest))
        open = false
      } else {
        if (open && !each.mayClose) faults.push(fault("no answer", rest.toString("latin1")))
        classes.push("closed")
      }
      return
    }
    faults.push(...judgeText(answer.raw))
    const read = readBody(answer)
    classes.push(
      `${answer.status} ${"answer" in read ? read.answer : "wrong" in read ? `?${read.wrong}` : read.notification}`
    )
    if ("wrong" in read) faults.push(fault(`unclassified: ${read.wrong}`, answer.raw.toString("latin1")))
    if (!each.statuses.includes(answer.status)) {
      const wanted = each.statuses.slice(0, 6).join("|")
      faults.push(fault(`status ${answer.status} instead of ${wanted}`, answer.raw.toString("latin1")))
    }
    if ("answer" in read) faults.push(...judgeId(each, answer, read.id))
    if (each.runs === "must" && !("answer" in read && noteOf(read.result) === each.note)) {
      faults.push(fault("a valid read has no result", answer.raw.toString("latin1")))
    }
    if ("answer" in read && read.answer === "result") {
      const note = noteOf(read.result)
      if (typeof note === "string") results.push({ note, replayed: /"ferrule\/replayed"/.test(answer.body.toString()) })
    }
    if (each.mayEnd) open = false
  })
  const surplus = answers.slice(expected.length)
  const mayLeave = expected.some(({ leavesBytes }) => leavesBytes)
  for (const answer of surplus) {
    if (!mayLeave || answer.status !== 400) faults.push(fault("an answer to nothing", answer.raw.toString("latin1")))
  }
  return { faults, answers: classes, results }
}

const judgeId = ({ asked }: Expected, { status, raw }: HttpAnswer, id: unknown): ReadonlyArray<Fault> => {
  const own = asked?.id ?? null
  return id === own || (id === null && status >= 400) || id === undefined
    ? []
    : [fault("an id that was not asked", raw.toString("latin1"))]
}

const isJson = ({ headers }: HttpAnswer): boolean => headers.get("content-type") === "application/json"

/** Reads a body as what its status is documented to come with. */
const readBody = (answer: HttpAnswer): Read => {
  const { body, headers, status } = answer
  const text = body.toString("utf8")
  const bare: Read = { id: undefined, answer: "", result: undefined }
  if (text === "") {
    const isNode = nodeRefusals.includes(status) && (headers.get("connection") === "close" || status === 417)
    return status === 202 || status === 404 || isNode || isEmptyHead(answer) ? bare : { wrong: "an empty body" }
  }
  if (status === 401 || status === 503 || headers.has("www-authenticate")) return readChallenge(answer, text)
  if (status === 405 && headers.get("allow") !== "POST") return { wrong: "405 without Allow" }
  if (headers.get("content-type") === "text/event-stream") return readEvents(text)
  if (!isJson(answer)) return { wrong: `type ${headers.get("content-type")}` }
  const read = readMessage(text)
  if ("answer" in read && status >= 400 && read.result !== undefined) return { wrong: "a result with a refusal" }
  return [200, 400, 403, 404, 405, 406, 413, 415].includes(status) ? read : { wrong: `status ${status}` }
}

/** The answer to a HEAD has no body, whatever its status. */
const isEmptyHead = ({ headers, status }: HttpAnswer): boolean =>
  headers.has("content-length") && ((status >= 400 && status < 500) || (status === 503 && headers.has("retry-after")))

const readChallenge = ({ headers, status }: HttpAnswer, text: string): Read => {
  const { error, error_description: description, ...more } = JSON.parse(text) as Record<string, unknown>
  if (typeof error !== "string" || typeof description !== "string" || Object.keys(more).length > 0) {
    return { wrong: "a challenge of another shape" }
  }
  if (status === 503 ? !headers.has("retry-after") : !headers.get("www-authenticate")?.startsWith("Bearer")) {
    return { wrong: "a challenge without its header" }
  }
  return [401, 403, 503].includes(status)
    ? { id: undefined, answer: error, result: undefined }
    : { wrong: `status ${status}` }
}

const readEvents = (text: string): Read => {
  const messages = text
    .split("\n\n")
    .filter((event) => event !== "" && !event.startsWith(":"))
    .map((event) => readMessage(event.replace(/^event: message\n/, "").replace(/^data: /, "")))
  const last = messages.pop()
  if (last === undefined) return { wrong: "no event" }
  const wrong = messages.find((message) => !("notification" in message))
  return wrong === undefined ? last : { wrong: "an event that is no notification" }
}
