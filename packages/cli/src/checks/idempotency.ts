/**
 * Checks of how a write is recognised and kept, and that a person agrees to what can't be undone.
 */
import type * as Tool from "@ferrule/core/Tool"
import * as Duration from "effect/Duration"
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { effectOf, wordsOf } from "../internal/effects.ts"
import { isObject, listOf } from "../internal/schemaPlaces.ts"
import type { JsonSchema, SubjectTool } from "../internal/Subject.ts"

export const recognised: StaticCheck = {
  info: {
    id: "A14",
    title: "Each write says how a repeat is recognised and for how long",
    why: "Models and clients repeat calls whose answer was lost. A write that can't tell a repeat pays, mails or deletes twice.",
    fix: "Declare idempotency.identity with the fields that say which operation it is, and a retention longer than any repeat.",
    severity: "block",
    question: "writes"
  },
  run: ({ connector, tools }) => {
    if (connector === undefined) return { notSeen: "How repeats are recognised can't be seen from outside." }
    const writes = tools.flatMap(({ declared, inputSchema }) =>
      declared?.kind === "write" ? [{ write: declared, inputSchema }] : []
    )
    if (writes.length === 0) return { notApplicable: "It has no writes." }
    return { faults: writes.flatMap(faultsOf), note: `${writes.length} writes` }
  }
}

const faultsOf = ({ inputSchema, write }: { readonly write: Tool.AnyWrite; readonly inputSchema: JsonSchema }) => {
  const { identity, recovery, retention } = write.idempotency
  const fault = (where: string, message: string, fix: string): Fault => ({
    subject: write.name,
    where: `/idempotency/${where}`,
    message,
    evidence: `identity ${identity.join(", ") || "nothing"}; recovery ${recovery}; retention ${Duration.format(retention)}`,
    fix
  })
  const required = listOf(inputSchema["required"])
  const properties = isObject(inputSchema["properties"]) ? inputSchema["properties"] : {}
  const faults: Array<Fault> = []
  if (identity.length === 0 && Object.keys(properties).length > 0) {
    faults.push(fault("identity", "recognises a repeat by nothing", "Name the fields that tell two operations apart."))
  } else if (identity.length > 0 && !identity.some((field) => required.includes(field))) {
    faults.push(
      fault(
        "identity",
        "may be called without any field that tells two operations apart, and then every call is the same operation",
        "Make one of the identity's fields required."
      )
    )
  }
  if (Duration.isLessThan(retention, Duration.minutes(10))) {
    faults.push({
      ...fault(
        "retention",
        `forgets a write after ${Duration.format(retention)}, and repeats come later than that`,
        "Keep it for an hour at least; a day is the default."
      ),
      severity: "warn"
    })
  }
  if (recovery === "repeatable" && adding.has(wordsOf(write.name).find((word) => effectOf(word) !== undefined) ?? "")) {
    faults.push(
      fault(
        "recovery",
        "says that it may be executed again after a crash, and its name says that each execution adds something",
        'Use recovery "downstream-key" where the upstream takes a key, or "reconcile" where it can be searched, or "unknown".'
      )
    )
  }
  return faults
}

const adding = new Set(
  "create add insert append post send reply mail submit publish pay charge refund transfer".split(" ")
)

export const agreed: StaticCheck = {
  info: {
    id: "A15",
    title: "A person is asked before each call that can't be undone",
    why: "People allow a tool once and for all. What deletes for good should be asked about each time, whatever was allowed before.",
    fix: "Declare the tool with requiresUserInteraction: true, which clients of Claude heed, or say in the description how the change is undone.",
    severity: "warn"
  },
  run: ({ tools }) => {
    const lasting = tools.filter(isLasting)
    if (lasting.length === 0) return { notApplicable: "No tool says that it destroys for good." }
    return {
      faults: lasting
        .filter(({ meta }) => meta["anthropic/requiresUserInteraction"] !== true)
        .map(({ description, name }) => ({
          subject: name,
          where: "/_meta/anthropic~1requiresUserInteraction",
          message: "destroys for good, and does not ask for a person's consent to each call",
          evidence: description.slice(0, 200)
        })),
      note: lasting.map(({ name }) => name).join(", ")
    }
  }
}

const isLasting = ({ annotations, description, name }: SubjectTool): boolean =>
  annotations["readOnlyHint"] !== true &&
  annotations["destructiveHint"] !== false &&
  (effectOf(name) === "destroy" ||
    /\b(?:for good|permanent(?:ly)?|irreversibl[ey]|irrevocabl[ey]|forever|(?:can't|cannot|can not) be (?:undone|taken back|reversed|restored|recovered))\b/i.test(
      description
    ))
