/**
 * The grammar of what a client writes to standard input: lines around messages, and the pieces in which their bytes arrive.
 */
import * as fc from "fast-check"
import { messages } from "./MessageCases.ts"

export interface Line {
  readonly bytes: Buffer
  readonly category: string
}

/** Lines that arrive together. `pieces` are where the bytes are cut, as parts of the whole. */
export interface StdioBatch {
  readonly lines: ReadonlyArray<(note: string) => Line>
  readonly pieces: ReadonlyArray<number>
}

type Wrap = readonly [category: string, wrap: (bytes: Buffer) => Buffer]

const around = (before: string, after: string) => (bytes: Buffer) =>
  Buffer.concat([Buffer.from(before), bytes, Buffer.from(after)])

/** Half a message on each of two lines. */
const brokenUp = (bytes: Buffer): Buffer => {
  const half = Math.floor(bytes.length / 2)
  return Buffer.concat([bytes.subarray(0, half), Buffer.from("\n"), bytes.subarray(half)])
}

/** As the language server protocol has it. */
const framed = (bytes: Buffer): Buffer => around(`Content-Length: ${bytes.length}\r\n\r\n`, "\n")(bytes)

const wraps: fc.Arbitrary<Wrap> = fc.oneof(
  { weight: 20, arbitrary: fc.constant<Wrap>(["", around("", "\n")]) },
  { weight: 2, arbitrary: fc.constant<Wrap>(["CRLF", around("", "\r\n")]) },
  { weight: 1, arbitrary: fc.constant<Wrap>(["empty lines", around("\n\r\n \t\n", "\n\n")]) },
  { weight: 1, arbitrary: fc.constant<Wrap>(["a line break within", (bytes) => around("", "\n")(brokenUp(bytes))]) },
  { weight: 1, arbitrary: fc.constant<Wrap>(["a framed message", framed]) }
)

const line = (giants: number) =>
  fc.record({ make: messages(giants), wrap: wraps }).map(({ make, wrap: [category, wrap] }) => (note: string): Line => {
    const message = make(note)
    return {
      bytes: wrap(message.bytes),
      category: category === "" ? (message.changes.at(-1) ?? "nothing changed") : category
    }
  })

/** `giants` says how many messages in a thousand are of sizes around the limit. */
export const stdioBatches = (giants: number): fc.Arbitrary<StdioBatch> =>
  fc.record({
    lines: fc.array(line(giants), { minLength: 1, maxLength: 20 }),
    pieces: fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }) }
    )
  })
