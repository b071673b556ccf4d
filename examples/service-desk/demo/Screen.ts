/**
 * Prints the demo for a person: a headline for each scene, who calls what, and the answer as the model reads it.
 */
import { styleText } from "node:util"

type Style = Parameters<typeof styleText>[0]

const width = 100

// Without a terminal, or with NO_COLOR, `styleText` leaves the text as it is.
const paint = (style: Style, text: string) => styleText(style, text, { stream: process.stdout })

// Where the reader has left, as `head` does, the demo plays on unseen and cleans up.
process.stdout.on("error", () => undefined)

const line = (text = "") => void process.stdout.write(`${text}\n`)

/** Breaks a text at spaces, and begins each further line under the first. */
const wrapped = (text: string, indent: string): string => {
  const lines: Array<string> = []
  for (const paragraph of text.split("\n")) {
    let current = ""
    for (const word of paragraph.split(" ")) {
      if (current !== "" && current.length + word.length + indent.length >= width) {
        lines.push(current)
        current = paragraph.startsWith("- ") ? `  ${word}` : word
      } else {
        current = current === "" ? word : `${current} ${word}`
      }
    }
    lines.push(current)
  }
  return lines.join(`\n${indent}`)
}

export const title = (text: string) => line(paint("bold", text))

export const scene = (letter: string, text: string) => {
  line()
  line(paint(["bold", "cyan"], `${letter}  ${text}`))
}

/** What the audience has to know of what happens behind the scene. */
export const note = (text: string) => line(paint("dim", `   ${wrapped(text, "   ")}`))

export const call = (who: string, tool: string, args: Readonly<Record<string, unknown>> = {}) => {
  const shown = Object.entries(args).map(([name, value]) => `${name}: ${shortened(JSON.stringify(value), 48)}`)
  line(`   ${paint("bold", who)} calls ${paint("bold", tool)}`)
  if (shown.length > 0) line(`     ${wrapped(shown.join(", "), "     ")}`)
}

/** An answer, word for word, marked as a refusal or not. */
export const answer = (text: string, refused: boolean) => {
  const bar = paint(refused ? "red" : "green", "│")
  for (const each of wrapped(text, "").split("\n")) line(`     ${bar} ${each}`)
}

export const proved = (text: string) => line(`   ${paint("green", "✓")} ${wrapped(text, "     ")}`)

/** A result on one line: its fields without those that the call has named, and lists by their length. */
export const fields = (result: Readonly<Record<string, unknown>>, named: Readonly<Record<string, unknown>>): string =>
  Object.entries(result)
    .filter(([name, value]) => !(name in named) && String(value).length <= 40)
    .map(([name, value]) => `${name} ${value === null ? "none" : Array.isArray(value) ? value.length : String(value)}`)
    .join(" · ")

export const summary = (lines: ReadonlyArray<string>) => {
  line()
  for (const each of lines) line(`${paint(["bold", "green"], "✓")} ${each}`)
}

export const failed = (where: string, why: string) => {
  line()
  line(`${paint(["bold", "red"], "✗")} ${paint("bold", where)} did not go as it must: ${why}`)
}

const shortened = (text: string, length: number) => (text.length <= length ? text : `${text.slice(0, length - 1)}…`)
