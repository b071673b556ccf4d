/**
 * Checks that what is shown as valid is valid.
 */
import type { Fault, StaticCheck } from "../internal/Check.ts"
import { listOf, type Place, placesOf } from "../internal/schemaPlaces.ts"
import type { JsonSchema, SubjectTool } from "../internal/Subject.ts"
import { validatorOf } from "../internal/validator.ts"

export const valid: StaticCheck = {
  info: {
    id: "A16",
    title: "Every example is valid by the schema that it is an example of",
    why: "A model copies an example before it reads a rule. One that the server refuses costs a failed call each time.",
    fix: "Correct the example, or the schema.",
    severity: "block",
    question: "schemas"
  },
  run: ({ examples, name, tools }) => {
    const own = tools.flatMap((tool) => illustrations(tool))
    const given = Object.entries(examples)
    if (given.length + own.length === 0) return { notApplicable: "There are no examples." }
    return {
      faults: [
        ...own.flatMap((each) => faultsOf(each.tool, each.where, each.schema, each.value)),
        ...given.flatMap(([tool, value]) => {
          const found = tools.find((each) => each.name === tool)
          if (found !== undefined) return faultsOf(tool, "/arguments", found.inputSchema, value, found)
          const message = `has arguments for ${tool}, which is no tool of it`
          return [
            { subject: name, where: `/arguments/${tool}`, message, fix: "Take them out, or correct the tool's name." }
          ]
        })
      ],
      note: `${given.length + own.length} examples`
    }
  }
}

const illustrations = ({ inputSchema, name }: SubjectTool) =>
  placesOf(inputSchema, "/inputSchema").flatMap(({ schema, where }: Place) => [
    ...listOf(schema["examples"]).map((value, i) => ({ tool: name, where: `${where}/examples/${i}`, schema, value })),
    ...("default" in schema ? [{ tool: name, where: `${where}/default`, schema, value: schema["default"] }] : [])
  ])

const faultsOf = (
  subject: string,
  where: string,
  schema: JsonSchema,
  value: unknown,
  tool?: SubjectTool
): ReadonlyArray<Fault> => {
  const wrong = validatorOf(schema)(value)
  const rules = tool?.declared?.input.decode(value)
  if (wrong !== undefined) return [{ subject, where, message: `is not valid: ${wrong}` }]
  if (rules?._tag !== "Failure") return []
  return rules.failure.map((issue) => ({ subject, where, message: `is not valid: ${issue.path} ${issue.message}` }))
}
