/**
 * Canonical JSON (RFC 8785): one text for each JSON value, whatever the order of its keys.
 *
 * Strings (not names) are normalized to NFC, since two spellings of é mean one operation, which the RFC leaves open. What
 * has no exact JSON form is refused: numbers that are not finite or are integers beyond 2^53, and unpaired surrogates.
 */
import * as Result from "effect/Result"

/**
 * Writes the canonical text of a JSON value, or says why it has none. Members that are `undefined` are left out.
 *
 * @category encoding
 * @since 0.1.0
 */
export const stringify = (value: unknown): Result.Result<string, string> => {
  const text = write(value)
  return typeof text === "string" ? Result.succeed(text) : Result.fail(text.fault)
}

interface Fault {
  readonly fault: string
}

const unpaired: Fault = { fault: "has an unpaired surrogate" }

const write = (value: unknown): string | Fault => {
  switch (typeof value) {
    case "string":
      return writeString(value)
    case "number":
      if (!Number.isFinite(value)) return { fault: "is not a finite number" }
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) return { fault: "is an integer beyond 2^53" }
      return String(value)
    case "boolean":
      return value ? "true" : "false"
    case "object":
      return value === null ? "null" : Array.isArray(value) ? writeArray(value) : writeObject(value)
    default:
      return { fault: "is not JSON" }
  }
}

const writeString = (value: string): string | Fault => {
  if (verbatim.test(value)) return `"${value}"`
  return value.isWellFormed() ? JSON.stringify(value.normalize("NFC")) : unpaired
}

/** ASCII that has neither an escape nor another spelling. */
const verbatim = /^[ !#-[\]-~]*$/

const writeArray = (value: ReadonlyArray<unknown>): string | Fault => {
  let text = ""
  for (const item of value) {
    const part = write(item)
    if (typeof part !== "string") return part
    text = text === "" ? part : `${text},${part}`
  }
  return `[${text}]`
}

const writeObject = (value: object): string | Fault => {
  let text = ""
  // The default order is by UTF-16 code units, as section 3.2.3 asks.
  for (const key of Object.keys(value).sort()) {
    const member: unknown = value[key as keyof typeof value]
    if (member === undefined) continue
    if (!key.isWellFormed()) return unpaired
    const part = write(member)
    if (typeof part !== "string") return part
    const entry = `${JSON.stringify(key)}:${part}`
    text = text === "" ? entry : `${text},${entry}`
  }
  return `{${text}}`
}
