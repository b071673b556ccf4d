/**
 * Takes credentials out of what goes into a report, which is filed and sent around: those that the audit has met, in every form
 * that programs write them in, and whatever looks like one. A tool that gives its credential away is found out by probes, and
 * does not give it to the readers of the report as well.
 */
import * as Scrubber from "@ferrule/core/Scrubber"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { Report } from "../Report.ts"
import { formsOf } from "./leaks.ts"

/** Gives the checks without these secrets in what was found and what was said. */
export const concealed = (checks: Report["checks"], secrets: Iterable<string>): Effect.Effect<Report["checks"]> =>
  Effect.map(concealing(secrets), (conceal) =>
    checks.map((check) => ({
      ...check,
      findings: check.findings.map((finding) => ({
        ...finding,
        message: conceal(finding.message),
        ...(finding.evidence !== undefined && { evidence: conceal(finding.evidence) })
      })),
      transcript: check.transcript.map((exchange) => ({
        ...exchange,
        sent: conceal(exchange.sent),
        answered: conceal(exchange.answered)
      }))
    }))
  )

/** Gives what takes them out of a text. */
export const concealing = Effect.fnUntraced(function* (secrets: Iterable<string>) {
  // JSON Web Tokens are known by their look, and there is one for each call. What is too short blanks out ordinary words.
  const opaque = [...new Set(secrets)].filter((secret) => !isJwt.test(secret) && secret.trim().length >= 8)
  const scrubber = Scrubber.make()
  for (const secret of opaque) yield* scrubber.watch(Redacted.make(secret))
  const forms = opaque.flatMap((secret) => formsOf(secret).map(([, form]) => form))
  return (text: string) => withoutTokens(withoutRest(scrubber.scrub(text), forms))
  // What is watched stays known for a while after its scope.
}, Effect.scoped)

const isJwt = /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/

/** A text that was cut short may end within a secret, which is known by the whole of it. */
const withoutRest = (text: string, forms: ReadonlyArray<string>): string => {
  const { end, kept } = /^(?<kept>.*)(?<end> … \(\d+ characters\))$/s.exec(text)?.groups ?? {}
  if (kept === undefined) return text
  const rest = Math.max(0, ...forms.map((form) => restOf(kept, form)))
  return rest === 0 ? text : `${kept.slice(0, -rest)}<redacted>${end}`
}

/** How many characters of the form a text ends with. A few may be a word's. */
const restOf = (text: string, form: string): number => {
  for (let length = form.length - 1; length >= 4; length--) if (text.endsWith(form.slice(0, length))) return length
  return 0
}

/** JSON Web Tokens wherever they are, and whatever follows the word Bearer or stands in the user part of an address. */
const withoutTokens = (text: string): string =>
  text
    .replace(/\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g, "<token>")
    .replace(/\b(bearer|basic) +[\w.~+/-]{8,}=*/gi, "$1 <token>")
    .replace(/\/\/[^/\s@"]+@/g, "//<redacted>@")
