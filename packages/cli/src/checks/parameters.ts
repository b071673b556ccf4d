/**
 * Checks of what single parameters are for: no credential, no choice of effect, no address that anybody may name.
 */
import * as ToolSchema from "@ferrule/core/ToolSchema"
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { type Effect, effectOf } from "../internal/effects.ts"
import { excerptOf } from "../internal/excerpt.ts"
import { listOf, type Place, placesOf } from "../internal/schemaPlaces.ts"
import type { SubjectTool } from "../internal/Subject.ts"

const fieldsOf = ({ inputSchema }: SubjectTool): ReadonlyArray<Place> =>
  placesOf(inputSchema, "/inputSchema").filter(({ field }) => field !== undefined)

const resultsOf = ({ outputSchema }: SubjectTool): ReadonlyArray<Place> =>
  outputSchema === undefined ? [] : placesOf(outputSchema, "/outputSchema").filter(({ field }) => field !== undefined)

const describedAs = ({ schema }: Place): string =>
  typeof schema["description"] === "string" ? schema["description"] : ""

export const credentials: StaticCheck = {
  info: {
    id: "A09",
    title: "No tool takes or returns a credential",
    why: "Whatever a tool takes or returns, the model reads, and it is kept in conversations and logs. A password that passes through there is a password that has leaked.",
    fix: "Take the field out. The server holds its credentials itself, in a Credential service, and sends them to the upstream.",
    severity: "block",
    question: "credentials"
  },
  run: ({ tools }) => ({
    faults: tools.flatMap((tool) => [
      ...disclosures(tool),
      ...fieldsOf(tool).flatMap((place) => credentialFaults(place, tool.name, "takes")),
      ...resultsOf(tool).flatMap((place) => credentialFaults(place, tool.name, "returns"))
    ]),
    note: `${tools.reduce((sum, tool) => sum + fieldsOf(tool).length + resultsOf(tool).length, 0)} fields`
  })
}

const spoken =
  /\b(?:api[ -]?key|access token|refresh token|bearer token|auth(?:entication|orization)? token|password|passphrase|client secret|secret key|private key|session cookie)\b/i

const disclosures = ({ description, name }: SubjectTool): ReadonlyArray<Fault> => {
  const words =
    /\b(?:returns?|lists?|shows?|prints?|dumps?|reads?|gets?)\b[^.!?\n]{0,30}\b(?:environment variables|credentials|secrets|passwords|api[ -]?keys|private keys)\b/i
  const said = words.exec(description)
  return said === null
    ? []
    : [
        {
          subject: name,
          where: "/description",
          message: "says that it returns credentials",
          evidence: excerptOf(description, said.index, said[0].length)
        }
      ]
}

const credentialFaults = (place: Place, subject: string, does: string): ReadonlyArray<Fault> => {
  const { field, schema, where } = place
  const fault = (message: string) => ({ subject, where, message, evidence: `${field}: ${describedAs(place)}` })
  if (ToolSchema.isCredentialName(field!)) return [fault(`${does} ${field}, which by its name is a credential`)]
  if (schema["format"] === "password" || (schema["writeOnly"] === true && does === "takes")) {
    return [fault(`${does} ${field}, which by its schema is a secret`)]
  }
  if (spoken.test(describedAs(place)) && !/\b(?:no|not|never)\b|n't\b/i.test(describedAs(place))) {
    const isText = [schema["type"]].flat().includes("string") && !("enum" in schema)
    return isText ? [fault(`${does} ${field}, which by its description is a credential`)] : []
  }
  return "x-mcp-header" in schema && /auth|cookie|session/i.test(String(schema["x-mcp-header"]))
    ? [fault(`${does} ${field}, which is sent as the header ${String(schema["x-mcp-header"])}`)]
    : []
}

export const effects: StaticCheck = {
  info: {
    id: "A10",
    title: "No parameter chooses between reading and writing",
    why: "Permission is given to a tool. One that reads or deletes as its argument says can't be allowed to read alone, and the directory refuses it.",
    fix: "Make a tool of each action, so that each has its own permission, hints and policy.",
    severity: "block"
  },
  run: ({ tools }) => ({
    faults: tools.flatMap((tool) => fieldsOf(tool).flatMap((place) => effectFaults(place, tool))),
    note: `${tools.length} tools`
  })
}

const choosing =
  /^(?:http_?)?(?:method|action|operation|op|verb|command|cmd|mode|function|function_name|tool|tool_name|request_type)$/i
const httpMethods = new Set(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])

const effectFaults = ({ field, schema, where }: Place, { annotations, name }: SubjectTool): ReadonlyArray<Fault> => {
  const values = [...listOf(schema["enum"]), ...("const" in schema ? [schema["const"]] : [])].filter(
    (value) => typeof value === "string"
  )
  const areMethods = values.length > 1 && values.every((value) => httpMethods.has(value.toUpperCase()))
  if (!choosing.test(field!) && !areMethods) return []
  const fault = (message: string) => ({
    subject: name,
    where,
    message,
    evidence: values.length > 0 ? `${field}: ${values.join(", ")}` : `${field}: any text`
  })
  const isText = [schema["type"]].flat().includes("string")
  if (values.length === 0) {
    return isText && !/mode$/i.test(field!)
      ? [fault(`takes ${field} as any text, so that one tool may do anything`)]
      : []
  }
  const chosen = new Set(values.map(effectOf).filter((effect): effect is Effect => effect !== undefined))
  const changes = chosen.has("write") || chosen.has("destroy")
  if (chosen.has("read") && changes) return [fault(`lets ${field} choose between reading and writing`)]
  if (changes && annotations["readOnlyHint"] === true) {
    return [fault(`lets ${field} choose a change, and says that it only reads`)]
  }
  return chosen.size > 1 ? [{ ...fault(`lets ${field} choose between adding and taking away`), severity: "warn" }] : []
}

export const addresses: StaticCheck = {
  info: {
    id: "A11",
    title: "A parameter that is an address, a path or a query has an allow-list",
    why: "A model can be talked into any address, file or query. Most servers that were broken into took a url or a path from the model and followed it.",
    fix: "Take an id and look the address up, or give the field a list of values or a pattern that admits the company's own. For a query language, link the API's documentation in the description.",
    severity: "warn"
  },
  run: ({ tools }) => ({
    faults: tools.flatMap((tool) => fieldsOf(tool).flatMap((place) => addressFaults(place, tool))),
    note: `${tools.length} tools`
  })
}

const kinds = [
  {
    name: /(?:^|_)(?:ur[il]|endpoint|webhook|href|link|host|hostname|domain|server)$/i,
    what: "address",
    tries: [
      "http://169.254.169.254/",
      "http://localhost:8080/",
      "https://attacker.example/x",
      "169.254.169.254",
      "attacker.example"
    ]
  },
  {
    name: /(?:^|_)(?:path|file|filename|filepath|file_path|dir|directory|folder)$/i,
    what: "path",
    tries: ["../../etc/passwd", "/etc/passwd", "a/../../b", "C:\\Windows\\x"]
  }
]

const languages = /\b(?:SQL|GraphQL|JQL|SOQL|CQL|Cypher|KQL|SPARQL|OData|PromQL|LogQL|XPath|Lucene)\b/

const addressFaults = (place: Place, { description, name }: SubjectTool): ReadonlyArray<Fault> => {
  const { field, patterns, schema, where } = place
  if ("enum" in schema || "const" in schema || ![schema["type"]].flat().includes("string")) return []
  const snake = field!.replace(/([a-z0-9])([A-Z])/g, "$1_$2")
  const kind = kinds.find((each) => each.name.test(snake))
  if (kind !== undefined) {
    const admitted = kind.tries.find((tried) => patterns.every(({ source }) => matches(source, tried)))
    return admitted === undefined
      ? []
      : [
          {
            subject: name,
            where,
            message: `takes any ${kind.what} as ${field}, as far as its schema says`,
            evidence: `It takes ${admitted}`
          }
        ]
  }
  const words = `${field} ${describedAs(place)}`
  return (languages.test(words) || /^(?:sql|graphql|jql|soql|cypher)/i.test(field!)) &&
    !/https?:\/\//.test(`${description} ${describedAs(place)}`)
    ? [{ subject: name, where, message: `takes a query as ${field} and links no documentation`, evidence: words }]
    : []
}

const matches = (source: string, text: string): boolean => {
  try {
    return new RegExp(source, "u").test(text)
  } catch {
    return true
  }
}
