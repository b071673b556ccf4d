/**
 * The summary that `ferrule audit` always prints: the four answers first, then what was found, as plain text of at most
 * 100 columns. Colours repeat what the words say.
 */
import type { Finding, Report } from "../Report.ts"
import {
  acceptedOf,
  costOf,
  counted,
  countOf,
  type FindingGroup,
  groupsOf,
  nameOf,
  statusesOf,
  timeOf,
  verdictOf
} from "./digest.ts"
import { visible } from "../internal/visible.ts"

export interface TerminalOptions {
  readonly colors: boolean
}

export const terminal = (report: Report, { colors }: TerminalOptions): string => {
  const paint = (style: Style, text: string) => (colors ? `\u001B[${codes[style]}m${text}\u001B[0m` : text)
  const heading = (text: string) => ["", ...wrapped("", text, "").map((line) => paint("bold", line))]
  const verdict = verdictOf(report)
  const accepted = acceptedOf(report)
  const findings = (groups: ReadonlyArray<FindingGroup>, noun: string, style: Style) =>
    groups.length === 0
      ? []
      : [...heading(counted(countOf(groups), noun)), ...groups.flatMap((group) => linesOf(group, style, paint))]
  return [
    ...wrapped("", `${nameOf(report)} ${report.connector.version}`, "").map((line) => paint("bold", line)),
    ...wrapped(
      "",
      `${report.target}, ${timeOf(report.at)}, Ferrule ${report.ferrule}, ${report.probed ? "with" : "without"} probes`,
      ""
    ).map((line) => paint("dim", line)),
    "",
    ...report.questions.flatMap(({ answer, because, question }) => {
      const [first, ...rest] = wrapped("        ", question, "        ")
      return [
        `  ${paint(answerStyles[answer], answers[answer])}${first!.slice(6)}`,
        ...rest,
        ...wrapped("        ", because, "        ").map((line) => paint("dim", line))
      ]
    }),
    ...findings(groupsOf(report, "block"), "blocker", "red"),
    ...findings(groupsOf(report, "warn"), "warning", "yellow"),
    ...(accepted.length === 0
      ? []
      : [
          ...heading(`${counted(accepted.length, "finding")} accepted by the team`),
          ...accepted.flatMap(({ accepted: reason, check, message, subject }) => [
            ...wrapped("  ", `${check}  ${subject}: ${message}`, "       "),
            ...wrapped("       ", `Accepted: ${reason}`, "       ")
          ])
        ]),
    ...(report.toConfirm.length === 0
      ? []
      : [
          ...heading(`${counted(report.toConfirm.length, "point")} for people to confirm`),
          ...report.toConfirm.flatMap(({ what }) => wrapped("  [ ] ", what, "      "))
        ]),
    ...heading("Checks and cost"),
    ...wrapped(
      "  ",
      `${
        statusesOf(report)
          .map(({ count, status }) => `${count} ${status}`)
          .join(", ") || "No checks"
      }.`,
      "  "
    ),
    ...wrapped("  ", costOf(report), "  "),
    ...(report.lock === undefined ? [] : wrapped("  ", `The lock of the definitions is ${report.lock}.`, "  ")),
    "",
    ...wrapped("", verdict.sentence, "").map((line) => paint(verdictStyles[verdict.outcome], line)),
    ""
  ].join("\n")
}

type Style = keyof typeof codes
type Paint = (style: Style, text: string) => string

const codes = { bold: "1", dim: "2", red: "1;31", yellow: "33", green: "32" } as const
const answers = { yes: "yes ", no: "NO  ", open: "open" } as const
const answerStyles = { yes: "green", no: "red", open: "yellow" } as const
const verdictStyles = { blocked: "red", open: "yellow", clear: "green" } as const

const linesOf = ({ check, findings, fix }: FindingGroup, style: Style, paint: Paint): ReadonlyArray<string> => {
  const [first, ...rest] = wrapped("       ", check.title, "       ")
  return [
    `  ${paint(style, oneLine(check.id).padEnd(5).slice(0, 5))}${first!.slice(7)}`,
    ...rest,
    ...findings.flatMap((finding) => [
      ...wrapped("       - ", `${finding.subject}: ${finding.message}${placeOf(finding)}`, "         "),
      ...(finding.evidence === undefined
        ? []
        : wrapped("         ", `"${shortened(finding.evidence)}"`, "         ").map((line) => paint("dim", line))),
      ...(fix === undefined ? wrapped("         ", `Fix: ${finding.fix}`, "         ") : [])
    ]),
    ...wrapped("       ", `Why: ${check.why}`, "       "),
    ...(fix === undefined ? [] : wrapped("       ", `Fix: ${fix}`, "       "))
  ]
}

const placeOf = ({ where }: Finding) => (where === undefined ? "" : ` (at ${where})`)

/** As much of a text as an overview has room for. */
const shortened = (text: string): string => {
  const line = oneLine(text)
  return line.length <= 240
    ? line
    : `${line.slice(0, 240).replace(/[\uD800-\uDBFF]$/, "")}… (${counted(text.length, "character")})`
}

const oneLine = (text: string): string => visible(text).replace(/\s+/gu, " ").trim()

const columns = 100

/** Breaks a text into lines of at most `columns`, the first after one indent and the others after another. */
const wrapped = (firstIndent: string, text: string, indent: string): ReadonlyArray<string> => {
  const lines: Array<string> = []
  let line = firstIndent
  let width = firstIndent.length
  let empty = true
  const end = () => {
    lines.push(line.trimEnd())
    line = indent
    width = indent.length
    empty = true
  }
  for (const word of oneLine(text).split(" ")) {
    const needed = widthOf(word)
    if (!empty && width + 1 + needed > columns) end()
    if (!empty) {
      line += " "
      width++
    }
    for (const character of word) {
      const wide = widthOf(character)
      if (width + wide > columns) end()
      line += character
      width += wide
      empty = false
    }
  }
  end()
  return lines
}

/** How many columns a text takes: the signs of East Asia, and emojis, take two. */
const widthOf = (text: string): number => {
  let width = 0
  for (const character of text) width += wideCharacter.test(character) ? 2 : 1
  return width
}

const wideCharacter =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303F\uFF01-\uFF60\uFFE0-\uFFE6]/u
