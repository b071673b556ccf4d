/**
 * Checks that texts say what a reviewer sees, and inform a model instead of steering it.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { excerptOf } from "../internal/excerpt.ts"
import { steering } from "../internal/steering.ts"
import type { Subject } from "../internal/Subject.ts"
import { type Text, textsOf } from "../internal/texts.ts"
import { hiddenCharacter } from "../internal/visible.ts"

export const honest: StaticCheck = {
  info: {
    id: "A06",
    title: "No text hides anything, gives the model orders or sends it elsewhere",
    why: "A model obeys what it reads in a tool's description. Hidden characters, markup and orders are how a connector makes it leak data or misuse other tools, unseen by those who approved it.",
    fix: "Take it out. Say what the tool does, in plain letters.",
    severity: "block"
  },
  run: (subject) => {
    const texts = textsOf(subject)
    const known = knownNames(subject)
    return { faults: texts.flatMap((text) => faultsOf(text, known)), note: `${texts.length} texts` }
  }
}

interface Found {
  readonly index: number
  readonly length: number
  readonly message: string
  readonly fix?: string
  readonly severity?: "warn"
}

const faultsOf = ({ subject, text, where }: Text, known: ReadonlySet<string>): ReadonlyArray<Fault> =>
  [...unseen(text), ...lookalikes(text), ...markup(text), ...blobs(text), ...orders(text), ...links(text)]
    .concat(foreignTools(text, known))
    .map(({ index, length, ...found }) => ({ subject, where, ...found, evidence: excerptOf(text, index, length) }))

const all = (pattern: RegExp, text: string, message: string): ReadonlyArray<Found> => {
  const found = pattern.exec(text)
  pattern.lastIndex = 0
  return found === null ? [] : [{ index: found.index, length: found[0].length, message }]
}

const emoji = /\p{RGI_Emoji}/gv

const unseen = (text: string): ReadonlyArray<Found> => {
  // Some emoji are several characters with an invisible one between them.
  const plain = text.replace(emoji, (drawn) => " ".repeat(drawn.length)).replaceAll("\r\n", " \n")
  const found = [...plain.matchAll(hiddenCharacter)]
  const [first] = found
  if (first === undefined) return []
  const read = found.map(([character]) => spelled(character)).join("")
  const message = `holds ${found.length === 1 ? "a character" : `${found.length} characters`} that nobody sees`
  return [
    {
      index: first.index,
      length: found.at(-1)!.index - first.index + 1,
      message: read.trim() === "" ? message : `${message}, which read "${read}"`
    }
  ]
}

/** Tag characters are ASCII that is not drawn. */
const spelled = (character: string): string => {
  const code = character.codePointAt(0)!
  return code >= 0xe0020 && code <= 0xe007e ? String.fromCodePoint(code - 0xe0000) : ""
}

const lookalikes = (text: string): ReadonlyArray<Found> =>
  all(
    /(?=\p{L}*\p{Script=Latin})(?=\p{L}*[\p{Script=Cyrillic}\p{Script=Greek}\p{Script=Armenian}])\p{L}{3,}/u,
    text,
    "mixes letters of two alphabets that look alike in one word"
  )

const tags =
  "script style iframe img a div span p br b i u em strong h1 h2 h3 table svg link meta object embed form input details summary " +
  "system important instruction instructions user assistant human admin secret prompt context tool_use function_calls"

const tagged = new RegExp(
  `<!--|</[a-z][\\w-]*\\s*>|<[a-z][\\w-]*\\s[^<>]*=[^<>]*>|<(?:${tags.replaceAll(" ", "|")})\\s*/?>`,
  "i"
)

const markup = (text: string): ReadonlyArray<Found> => [
  ...all(tagged, text, "holds markup, which some clients do not show and models heed"),
  ...all(
    /<\|[\w ]+\|>|\[\/?INST\]|^#{2,}\s*(?:system|instructions?)\b|^(?:system|assistant|human):/im,
    text,
    "holds the marks by which a prompt is divided"
  )
]

const blobs = (text: string): ReadonlyArray<Found> => {
  const data = all(/\bdata:[a-z]+\/[\w.+-]+[;,]/i, text, "holds data in a data: address")
  if (data.length > 0) return data
  return [...text.matchAll(/[A-Za-z0-9+/_-]{40,}={0,2}/g)].flatMap(({ 0: blob, index }) => {
    const bytes = Buffer.from(blob, "base64").toString("latin1")
    const isText = /^[\x20-\x7e\s]{20,}$/.test(bytes)
    const isRandom = /^[A-Za-z0-9]{40,}=*$/.test(blob) && /[a-z]/.test(blob) && /[A-Z]/.test(blob) && /\d/.test(blob)
    const isHex = /^(?:[0-9a-f]{2}){32,}$/i.test(blob)
    if (!isText && !isRandom && !isHex) return []
    const message = isText ? `holds text in base64, which reads "${bytes.slice(0, 80)}"` : "holds encoded data"
    return [{ index, length: blob.length, message }]
  })
}

const orders = (text: string): ReadonlyArray<Found> =>
  steering.flatMap(({ pattern, words }) => all(pattern, text, words))

const sentence = new Intl.Segmenter("en", { granularity: "sentence" })

const links = (text: string): ReadonlyArray<Found> => {
  if (!/https?:/i.test(text)) return []
  return [...sentence.segment(text)].flatMap(({ index, segment }) => {
    const link = /\bhttps?:\/\/[^\s<>"')]+/i.exec(segment)
    if (link === null) return []
    const sends = /\b(?:follow|obey|instructions?|prompts?|execute|run|download|fetch|curl|load|install|carry out)\b/i
    const isRaw = /pastebin|raw\.githubusercontent|gist\.github|\.(?:md|txt|sh|prompt)(?:[?#]|$)/i
    const words = segment.replace(link[0], "")
    return sends.test(words) || (isRaw.test(link[0]) && /\p{L}/u.test(words))
      ? [
          {
            index: index + link.index,
            length: link[0].length,
            message: "sends the model to instructions at an address"
          }
        ]
      : []
  })
}

const foreignTools = (text: string, known: ReadonlySet<string>): ReadonlyArray<Found> => [
  ...[...text.matchAll(/\bmcp__\w[\w-]*/g)].map(({ 0: name, index }) => ({
    index,
    length: name.length,
    message: `names a tool of another server, ${name}`
  })),
  ...all(
    /\b(?:WebFetch|WebSearch|MultiEdit|NotebookEdit|the (?:Bash|Read|Write|Edit) tool)\b/,
    text,
    "names a tool of the client"
  ),
  ...[...text.matchAll(/\b(?:call|use|using|run|invoke|with|see) (?:the )?`?([a-z]+(?:_[a-z0-9]+)+)\b/gi)]
    .filter(([, name]) => !known.has(name!))
    .map(({ 0: words, 1: name, index }) => ({
      index,
      length: words.length,
      message: `tells the model to use ${name}, which is no tool or field of this connector`,
      fix: "Name the connector's own tools as they are called now, and no others.",
      severity: "warn" as const
    }))
]

const knownNames = ({ tools }: Subject): ReadonlySet<string> =>
  new Set(
    tools.flatMap(({ inputSchema, name, outputSchema }) => [
      name,
      ...(JSON.stringify([inputSchema, outputSchema]).match(/[a-z]+(?:_[a-z0-9]+)+/gi) ?? [])
    ])
  )
