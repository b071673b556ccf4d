/**
 * What no program can judge: each point with what a person needs to see to judge it.
 */
import * as Policy from "@ferrule/core/Policy"
import type { ToConfirm } from "../Report.ts"
import type { Subject } from "./Subject.ts"

export const toConfirm = ({ connector, instructions, tools }: Subject): ReadonlyArray<ToConfirm> => [
  {
    what: "The access matrix is the right one: each role should have exactly these tools.",
    evidence:
      connector === undefined
        ? "Roles can't be seen from outside."
        : tools
            .flatMap(({ declared, name }) => (declared ? `${name}: ${Policy.describe(declared.allow)}` : []))
            .join("\n")
  },
  {
    what: "Each description says what the tool means to the business, and nothing that is untrue.",
    evidence: tools.map(({ description, name }) => `${name}: ${description}`).join("\n")
  },
  {
    what: "What the tools return is of a class of data that may be shown to a model and its provider.",
    evidence: tools.map(({ name, outputSchema }) => `${name}: ${fieldsOf(outputSchema)}`).join("\n")
  },
  {
    what: "The instructions are what the team wants every model to be told.",
    evidence: instructions ?? "There are none."
  },
  {
    what: "The company has the right to use each upstream this way, and its privacy policy covers it.",
    evidence: tools
      .filter(({ annotations }) => annotations["openWorldHint"] !== false)
      .map(({ name }) => `${name} reaches something outside`)
      .join("\n")
  },
  { what: "There is a test account with data to try the connector on.", evidence: "Nothing here can show it." }
]

const fieldsOf = (schema: Readonly<Record<string, unknown>> | undefined): string =>
  schema === undefined || typeof schema["properties"] !== "object" || schema["properties"] === null
    ? "not said"
    : Object.keys(schema["properties"]).join(", ")
