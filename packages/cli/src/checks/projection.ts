/**
 * Checks of what is lost where a client has the model write in strict mode.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { type Lost, strictProjection } from "../internal/strictProjection.ts"
import type { SubjectTool } from "../internal/Subject.ts"

const mostOptional = 24
const mostUnions = 16

export const strict: StaticCheck = {
  info: {
    id: "A18",
    title: "What strict mode leaves out of a schema, the words say",
    why: "Some clients have the model write in strict mode, which knows no lengths and no limits. A limit that only the schema says is then found out by a refused call.",
    fix: 'Repeat the limit in the field\'s description: "1 to 50; 10 unless given."',
    severity: "warn"
  },
  run: ({ tools }) => {
    const each = tools.map((tool) => ({ tool, projection: strictProjection(tool.inputSchema) }))
    const lost = each.flatMap(({ projection, tool }) => projection.lost.map((one) => ({ one, tool })))
    const summary = each
      .filter(({ projection }) => projection.lost.length > 0)
      .map(({ projection, tool }) => `${tool.name}: ${projection.lost.map(nameOf).join(", ")}`)
    return {
      faults: [
        ...each.flatMap(({ projection, tool }) => [
          ...projection.refused.map(({ where, why }) => ({
            subject: tool.name,
            where,
            message: `strict mode refuses the tool, since ${why}`,
            fix: "Say it in a form that strict mode knows, or accept the finding where no client of yours uses strict mode."
          })),
          ...tooMany(tool.name, "optional fields", projection.optional, mostOptional),
          ...tooMany(tool.name, "fields that may be of several kinds", projection.unions, mostUnions)
        ]),
        ...lost.flatMap(({ one, tool }) => (isSaid(one, tool) ? [] : [unsaid(one, tool.name)]))
      ],
      note: summary.length === 0 ? "nothing is lost" : `${lost.length} limits are lost: ${summary.join("; ")}`
    }
  }
}

const nameOf = ({ keyword, place, value }: Lost) =>
  `${place.where.replace("/inputSchema", "").replaceAll("/properties", "") || "/"} ${keyword} ${JSON.stringify(value)}`

const tooMany = (subject: string, what: string, count: number, most: number): ReadonlyArray<Fault> =>
  count <= most
    ? []
    : [
        {
          subject,
          where: "/inputSchema",
          message: `has ${count} ${what}, and strict mode takes ${most}`,
          fix: "Split the tool, or make fields required."
        }
      ]

const unsaid = ({ keyword, place, value }: Lost, subject: string): Fault => ({
  subject,
  where: `${place.where}/${keyword}`,
  message: `says ${keyword} ${JSON.stringify(value)} in the schema alone`,
  evidence: typeof place.schema["description"] === "string" ? place.schema["description"] : "no description"
})

/** Whether a limit is in the words, or is none that a model would run into. */
const isSaid = ({ keyword, place: { schema }, value }: Lost, tool: SubjectTool): boolean => {
  if (typeof value !== "number") return typeof schema["description"] === "string"
  if (/^(?:min|exclusiveMin)/.test(keyword) ? value <= 1 && value >= 0 : Math.abs(value) >= 1_000_000) return true
  // A pattern stays, and holds the model to the length itself.
  if (keyword.endsWith("Length") && "pattern" in schema) return true
  const words = `${String(schema["description"] ?? "")} ${tool.declared?.description ?? tool.description}`
  return (words.replace(/(\d)[,_ ](?=\d{3})/g, "$1").match(/\d+(?:\.\d+)?/g) ?? []).some(
    (said) => Number(said) === value
  )
}
